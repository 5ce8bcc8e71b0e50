"""What the Recorder accepts, a reader can read: such runs could once be written and never opened."""

import numpy as np
import pytest
import torch

import lca_analysis as lca
from lca_analysis.errors import ArgumentError
from lca_analysis.recording import RecorderOptions


def record(folder, options=None, **arguments):
    model = torch.nn.Linear(2, 1)
    with lca.Recorder(folder, model, options=options, **arguments) as recorder:
        recorder.record()
        recorder.record()
    return lca.open_run(folder)


def test_values_of_like_kinds_are_taken_as_what_they_mean(tmp_path):
    options = RecorderOptions(tags={"seed": 1, "lr": 0.1}, seeds={"torch": np.int64(3)}, name="7")
    run = record(tmp_path / "run", options, every=np.int64(2))
    assert run.manifest.tags == {"seed": "1", "lr": "0.1"}
    assert run.manifest.seeds == {"torch": 3}
    assert run.iterations.tolist() == [0, 2]


@pytest.mark.parametrize("every", [1.5, 2.0, "2", None])
def test_a_fraction_of_an_iteration_is_refused(tmp_path, every):
    with pytest.raises(ArgumentError, match="every must be a whole number"):
        record(tmp_path / "run", every=every)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options", [RecorderOptions(seeds={"torch": "3"}), RecorderOptions(segment_length=2.5)], ids=["seed", "segment"]
)
def test_other_numbers_must_be_whole_too(tmp_path, options):
    with pytest.raises(ArgumentError, match="must be a whole number"):
        record(tmp_path / "run", options)


def test_a_problem_must_be_one(tmp_path):
    with pytest.raises(ArgumentError, match="not int"):
        record(tmp_path / "run", problem=3)
