"""Recording only some iterations."""

import itertools

import pytest
import torch

import lca_analysis as lca
from lca_analysis.errors import ArgumentError
from lca_analysis.recording import Recorder
from lca_analysis.trajectory import describe


def record(path, model, steps, **policy):
    with Recorder(path, model, **policy) as recorder:
        for _ in range(steps):
            recorder.record()
    return lca.open_run(path)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"windows": [(0, 2), (7, 9)]}, [0, 1, 2, 7, 8, 9]),
        ({"windows": [(7, 9), (3, 3)]}, [3, 7, 8, 9]),
        ({"windows": [(3, 8)], "every": 4}, [4, 8]),
        ({"windows": [(10, 100)]}, [10, 11, 12]),
        ({"windows": [(0, 1), (2, 3)]}, [0, 1, 2, 3]),
    ],
)
def test_only_the_windows_are_recorded(tmp_path, model, policy, expected):
    run = record(tmp_path / "run", model, 12, **policy)
    assert run.iterations.tolist() == expected
    assert run.manifest.recording.windows == sorted(policy["windows"])


def test_a_gap_is_one_long_step_and_info_says_how_long(tmp_path, model):
    run = record(tmp_path / "run", model, 12, windows=[(0, 2), (7, 9)])
    assert [(step.iteration, step.iteration_next) for step in run.steps()] == [(0, 1), (1, 2), (2, 7), (7, 8), (8, 9)]
    facts = describe(run)
    assert facts["recorded_windows"] == [[0, 2], [7, 9]]
    assert facts["longest_step"] == 5


@pytest.mark.parametrize(
    "policy",
    [
        {"windows": [(3, 2)]},
        {"windows": [(-1, 2)]},
        {"windows": [(0, 4), (4, 6)]},
        {"windows": [(0, 1.5)]},
        {"windows": [3]},
        {"windows": [(5, 7)], "every": 4},
        {"error_fraction": 1.5},
        {"error_fraction": float("nan")},
    ],
)
def test_policies_that_cannot_be_used(tmp_path, model, policy):
    with pytest.raises(ArgumentError):
        Recorder(tmp_path / "run", model, **policy)


def test_a_bounded_error_is_stated_and_kept(tmp_path, model, training):
    model.hidden = torch.nn.Sequential(torch.nn.Linear(6, 200), torch.nn.Linear(200, 6))  # small tensors stay exact
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    exact = []
    with Recorder(tmp_path / "run", model, optimizer, error_fraction=1 / 16):
        training(model, optimizer, 40, lambda: exact.append(model.hidden[0].weight.detach().numpy().copy()))
    run = lca.open_run(tmp_path / "run")
    assert not run.manifest.recording.lossless
    assert run.manifest.recording.error_fraction == 1 / 16
    found = [point.weights["hidden.0.weight"] for point in run.walk(1)]
    worst = max(abs(a - b).max() for a, b in zip(found, exact, strict=True))
    longest = max(abs(b - a).max() for a, b in itertools.pairwise(exact))
    assert 0 < worst <= longest / 8
