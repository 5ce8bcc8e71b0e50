"""LCA by class: against the slow oracle, a closed form, and the sum over classes; classes without examples."""

import copy

import numpy as np
import oracles
import pytest
import torch

import lca_analysis as lca
from lca_analysis.allocation import execution
from lca_analysis.cli.entry import main
from lca_analysis.errors import ArgumentError
from lca_analysis.problems import Problem
from lca_analysis.recording import Recorder

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
SETTINGS = {"splits": "train", "rule": "paper", "tolerance": 1e-4, "max_pieces": 8, "range_length": 3, "classes": True}
SUMS = ["lca", "lca_helping", "lca_hurting", "step_norm2", "gradient_norm2"]
COUNTS = ["n_helping", "n_hurting", "n_zero"]


def share_of(problem, label):
    """Give the problem whose loss is what one class adds to the mean: the other examples have none."""
    masked, loss = copy.copy(problem), problem.loss
    masked.loss = lambda outputs, targets: loss(outputs, targets) * (targets == label)
    return masked


@pytest.fixture(
    scope="module",
    params=[(name, dtype) for name in ("mlp", "conv", "batch_norm") for dtype in TOLERANCE],
    ids=lambda case: f"{case[0]}-{case[1]}",
)
def case(request, small, tmp_path_factory):
    """A run computed by class; the fourth of its classes has no example."""
    name, dtype = request.param
    folder = tmp_path_factory.mktemp("classes")
    problem = small.build(name, dtype=dtype)
    problem.classes = 4
    run = small.record(problem, folder / "run", iterations=4, lr=1.0)
    lca.compute(folder / "run", folder / "store", problem, **SETTINGS)
    store = lca.open_store(folder / "store")
    iterations = store.table("iterations").set_index(["iteration", "class"])
    layers = store.table("layers").set_index(["iteration", "class", "tensor"])
    scale = float(layers["lca"].abs().max())
    return problem, small.points(run), iterations, layers, TOLERANCE[dtype], scale


def test_each_class_is_what_the_oracle_makes_of_its_share(case):
    problem, points, iterations, layers, rtol, scale = case
    for iteration in range(4):
        before, after = points[iteration : iteration + 2]
        nodes = oracles.simpson_nodes(int(iterations.loc[(iteration, -1), "pieces"]))
        for label in range(3):
            share = share_of(problem, label)
            gradient = oracles.path_gradient(share, "train", before, after, nodes)
            allocated = oracles.allocate(before, after, gradient)
            for name, values in allocated.items():
                wanted = oracles.tensor_row(values, after[name] - before[name], gradient[name])
                found = layers.loc[(iteration, label, name)]
                for column in SUMS:
                    assert found[column] == pytest.approx(wanted[column], rel=300 * rtol, abs=3 * rtol * scale)
                if rtol < 1e-10:
                    assert found[COUNTS].tolist() == [wanted[column] for column in COUNTS]
            losses = [oracles.loss_and_gradient(share, "train", point)[0] for point in (before, after)]
            found = iterations.loc[(iteration, label)]
            assert found[["loss_before", "loss_after"]].tolist() == pytest.approx(losses, rel=rtol)
            total = sum(float(values.sum()) for values in allocated.values())
            assert found["allocated"] == pytest.approx(total, abs=30 * rtol * scale)


def test_classes_sum_to_the_whole(case):
    _, _, iterations, layers, rtol, scale = case
    for frame, columns in ((iterations, ["loss_before", "loss_after", "loss_change", "allocated"]), (layers, ["lca"])):
        whole = frame[columns].xs(-1, level="class")
        others = [level for level in frame.index.names if level != "class"]
        classes = frame[columns].drop(-1, level="class").groupby(level=others).sum()
        np.testing.assert_allclose(classes.loc[whole.index], whole, rtol=rtol, atol=30 * rtol * scale)


def test_rows_of_a_class_add_up(case):
    _, _, iterations, layers, _, _ = case
    sums = layers["lca"].groupby(level=["iteration", "class"]).sum(min_count=1)
    np.testing.assert_allclose(sums, iterations["allocated"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(iterations["loss_change"] - iterations["allocated"], iterations["residual"])
    missed = iterations["residual"].abs() > 1e-4
    counted = iterations.index.get_level_values("class") < 3
    assert (iterations["status"][counted] == np.where(missed[counted], "tolerance", "ok")).all()


def test_a_class_without_examples_says_so(case):
    _, _, iterations, layers, _, _ = case
    rows = iterations.xs(3, level="class")
    assert rows["status"].tolist() == ["empty"] * 4
    assert rows[["loss_before", "loss_after", "loss_change", "allocated", "residual"]].isna().all(axis=None)
    assert layers.xs(3, level="class")[SUMS].isna().all(axis=None)
    assert layers.xs(3, level="class")[COUNTS].eq(0).all(axis=None)


def test_evaluations_are_counted_in_the_row_of_all_classes(case):
    _, _, iterations, _, _, _ = case
    assert iterations["gradient_evaluations"].drop(-1, level="class").eq(0).all()
    assert iterations["gradient_evaluations"].xs(-1, level="class").ge(2).all()


class Position(torch.nn.Module):
    """Gives θ for every example."""

    def __init__(self):
        super().__init__()
        self.theta = torch.nn.Parameter(torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64))

    def forward(self, inputs):
        return self.theta.expand(len(inputs), -1)


def test_the_closed_form_of_a_quadratic(tmp_path):
    # The loss is |θ − x_c|² for class c, so A_i = N_c/N ((θ'_i − x_ci)² − (θ_i − x_ci)²), with any Simpson exact.
    centers = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [-1.0, 0.5, 4.0]], dtype=torch.float64)
    targets = torch.tensor([0, 1, 1, 2, 1, 0, 1])
    model = Position()
    problem = Problem(
        model, lambda y, c: (y - centers[c]).square().sum(1), {"train": (targets.double(), targets)}, 3, classes=3
    )
    before = model.theta.detach().clone()
    after = torch.tensor([0.1, 0.7, 2.5], dtype=torch.float64)
    with torch.no_grad(), Recorder(tmp_path / "run", model) as recorder:
        model.theta.copy_(after)
        recorder.record()
    lca.compute(tmp_path / "run", tmp_path / "store", problem, classes=True)
    rows = lca.open_store(tmp_path / "store").table("layers").set_index("class")
    for label, count in enumerate((2, 4, 1)):
        exact = count / 7 * ((after - centers[label]) ** 2 - (before - centers[label]) ** 2)
        assert rows.loc[label, "lca"] == pytest.approx(float(exact.sum()), rel=1e-13)
        assert rows.loc[label, "lca_hurting"] == pytest.approx(float(exact.clamp(min=0).sum()), rel=1e-13)
    assert rows.loc[-1, "lca"] == pytest.approx(float(rows.loc[[0, 1, 2], "lca"].sum()), rel=1e-13)


def test_a_step_that_is_not_finite_has_null_rows_for_every_class(tmp_path):
    model = torch.nn.Linear(2, 3)
    split = torch.randn(5, 2), torch.tensor([0, 1, 0, 1, 1])
    problem = Problem(model, torch.nn.CrossEntropyLoss(reduction="none"), {"train": split}, classes=3)
    with torch.no_grad(), Recorder(tmp_path / "run", model) as recorder:
        model.weight.fill_(float("inf"))
        recorder.record()
    summary = lca.compute(tmp_path / "run", tmp_path / "store", problem, classes=True)
    assert summary.nonfinite == (("train", 0),)
    store = lca.open_store(tmp_path / "store")
    assert store.table("iterations")["status"].tolist() == ["nonfinite", "nonfinite", "nonfinite", "empty"]
    assert store.table("layers")["lca"].isna().all()


class Stop(Exception):
    """Ends a computation in a test."""


def test_interruptions_and_workers_give_the_same_bytes(small, tmp_path, monkeypatch):
    run = small.record(small.build("by_class"), tmp_path / "run", iterations=7)
    settings = {"range_length": 3, "classes": True}
    lca.compute(run.path, tmp_path / "whole", **settings)
    lca.compute(run.path, tmp_path / "workers", workers=2, **settings)
    original = execution.compute_range
    seen = []

    def stopping(job, problem, on_step, *rest):
        def step():
            seen.append(job)
            if len(seen) == 5:
                raise Stop
            on_step()

        original(job, problem, step, *rest)

    monkeypatch.setattr(execution, "compute_range", stopping)
    with pytest.raises(Stop):
        lca.compute(run.path, tmp_path / "halted", **settings)
    monkeypatch.undo()
    lca.compute(run.path, tmp_path / "halted", **settings)
    wanted = small.snapshot(tmp_path / "whole")
    assert small.snapshot(tmp_path / "workers") == wanted
    assert small.snapshot(tmp_path / "halted") == wanted
    assert lca.open_store(tmp_path / "whole").table("computations")["classes"].tolist() == [3, 3]


def test_without_a_number_of_classes_nothing_is_begun(small, mlp_run, tmp_path):
    with pytest.raises(ArgumentError, match=r"Problem\(\.\.\., classes="):
        lca.compute(mlp_run.path, tmp_path / "store", classes=True)
    assert not (tmp_path / "store").exists()


def test_the_command_line(small, tmp_path):
    run = small.record(small.build("by_class"), tmp_path / "run", iterations=2)
    with pytest.raises(SystemExit) as ended:
        main(["compute", run.path, "--store", str(tmp_path / "store"), "--classes", "--workers", "1", "--quiet"])
    assert ended.value.code == 0
    assert set(lca.open_store(tmp_path / "store").table("layers")["class"]) == {-1, 0, 1, 2}
