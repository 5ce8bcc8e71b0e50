"""compute: what it refuses, what it tells, and steps that cannot be allocated."""

import json
import math

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.allocation import Execution
from lca_analysis.errors import ArgumentError, LcaError, MismatchError, NotFoundError, NumericalError
from lca_analysis.problems import Problem
from lca_analysis.recording import Recorder

CROSS_ENTROPY = nn.CrossEntropyLoss(reduction="none")


def split_of(count=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 4, generator=generator), torch.arange(count) % 3


def hand_moved(path, weights, dtype=torch.float32):
    """Record a linear model whose weights are set by hand."""
    model = nn.Linear(4, 3, bias=False).to(dtype)
    problem = Problem(model, CROSS_ENTROPY, {"train": split_of()})
    first, *others = [torch.as_tensor(value).expand(3, 4) for value in weights]
    with torch.no_grad():
        model.weight.copy_(first)
        with Recorder(path, model) as recorder:
            for value in others:
                model.weight.copy_(value)
                recorder.record()
    return problem


def test_the_summary(mlp_run, tmp_path):
    summary = lca.compute(mlp_run.path, tmp_path / "store", progress=False)
    rows = lca.open_store(tmp_path / "store").table("iterations", run="mlp")
    assert summary.run == "mlp"
    assert [split.split for split in summary.splits] == ["train", "validation"]
    assert summary.nonfinite == ()
    assert summary.seconds > 0
    for split in summary.splits:
        mine = rows[rows["split"] == split.split]
        assert split.iterations == 11
        assert split.allocated == mine["allocated"].sum()
        assert split.loss_change == mine["loss_after"].iloc[-1] - mine["loss_before"].iloc[0]
        assert split.largest_residual == mine["residual"].abs().max()
        assert split.gradient_evaluations == mine["gradient_evaluations"].sum()
    assert json.loads(json.dumps(summary.to_dict()))["computed"] == 2


def test_the_tables_about_the_run(small, mlp_run, tmp_path):
    lca.compute(mlp_run.path, tmp_path / "store", splits="train", sample_seed=3)
    store = lca.open_store(tmp_path / "store")
    run = store.table("runs").iloc[0]
    assert (run["run"], run["path"], run["parameters"], run["tensors"], run["iterations"]) == ("mlp", "mlp", 57, 4, 11)
    assert (run["optimizer"], run["learning_rate"], run["momentum"]) == ("SGD", 0.3, 0.5)
    assert run["problem"] == f"{small.file}:mlp"
    layers = store.table("layers_index")
    assert layers["layer"].tolist() == ["0", "2"]
    assert layers[["depth", "tensors", "parameters", "units"]].to_numpy().tolist() == [[0, 2, 36, 6], [1, 2, 21, 3]]
    tensors = store.table("parameters_index")
    assert tensors["offset"].tolist() == [0, 30, 36, 54]
    computed = store.table("computations").iloc[0]
    wanted = {
        "rule": "adaptive",
        "examples": 23,
        "batch_size": 10,
        "dtype": "float32",
        "iterations": 11,
        "sample_seed": 3,
    }
    assert {name: computed[name] for name in wanted} == wanted
    assert computed["fingerprint"] == small.build("mlp").fingerprint("train")


def test_elements_are_written_step_by_step(mlp_run, tmp_path):
    lca.compute(mlp_run.path, tmp_path / "store", splits="train", elements=True, range_length=4)
    store = lca.open_store(tmp_path / "store")
    groups = [pq.ParquetFile(file).num_row_groups for _, file in store.files("elements")]
    assert groups == [4, 4, 3]
    rows = store.table("elements")
    assert rows["iteration"].tolist() == [t for t in range(11) for _ in range(4)]
    assert rows["tensor"].tolist() == 11 * ["0.bias", "0.weight", "2.bias", "2.weight"]


def test_the_sample_of_the_series_is_seeded(tmp_path):
    model = nn.Linear(30, 10)
    splits = {"train": (torch.randn(5, 30), torch.arange(5))}
    problem = Problem(model, CROSS_ENTROPY, splits)
    with Recorder(tmp_path / "run", model) as recorder:
        recorder.record()
    drawn = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        lca.compute(tmp_path / "run", tmp_path / name, problem, sample_seed=seed)
        rows = lca.open_store(tmp_path / name).table("series")
        drawn[name] = rows.loc[rows["tensor"] == "weight", "index"].tolist()
        assert rows.loc[rows["tensor"] == "bias", "index"].tolist() == list(range(10))
    assert drawn["a"] == drawn["b"] != drawn["c"]
    assert len(set(drawn["a"])) == 200
    assert max(drawn["a"]) < 300


def test_steps_that_are_not_finite_are_marked_and_left_out(tmp_path):
    # The third point has an infinite weight: the steps to it and from it cannot be allocated.
    problem = hand_moved(tmp_path / "run", [0.1, 0.2, math.inf, 0.3, torch.linspace(0, 1, 12).view(3, 4)])
    summary = lca.compute(tmp_path / "run", tmp_path / "store", problem, range_length=2)
    assert summary.nonfinite == (("train", 1), ("train", 2))
    assert summary.splits[0].loss_change != 0
    store = lca.open_store(tmp_path / "store")
    rows = store.table("iterations").set_index("iteration")
    assert rows["status"].tolist() == ["ok", "nonfinite", "nonfinite", "ok"]
    assert rows.loc[[1, 2], ["loss_change", "allocated", "residual", "error_estimate"]].isna().all(axis=None)
    assert rows["gradient_evaluations"].tolist()[1:3] == [1, 0], "no refinement of what is not finite"
    assert rows.loc[1, "loss_before"] == rows.loc[0, "loss_after"]
    assert pd.isna(rows.loc[1, "loss_after"])
    layers = store.table("layers").set_index("iteration")
    assert layers.loc[[1, 2], ["lca", "lca_helping", "step_norm2", "gradient_norm2"]].isna().all(axis=None)
    assert (layers.loc[[1, 2], ["n_helping", "n_hurting", "n_zero"]] == 0).all(axis=None)
    for name in ("units", "series"):
        missing = store.table(name).set_index("iteration")["lca"].isna()
        assert missing.loc[[1, 2]].all()
        assert not missing.loc[[0, 3]].any()
    parameters = store.table("parameters")
    assert parameters["lca"].sum() == pytest.approx(rows["allocated"].sum())
    assert (parameters["n_helping"] + parameters["n_hurting"]).max() <= 2
    assert store.table("histogram")["count"].sum() == 24


def test_an_overflow_in_the_product_is_not_finite(tmp_path):
    # Loss and gradient are finite all along: 1e30 (w₁ − w₂) with w₁ = w₂; each part of the sum is not.
    model = nn.Linear(1, 2, bias=False)
    split = torch.ones(2, 1), torch.ones(2)
    problem = Problem(model, lambda outputs, y: (outputs[:, 0] - outputs[:, 1]) * 1e30, {"train": split})
    with torch.no_grad():
        model.weight.fill_(1.0)
        with Recorder(tmp_path / "run", model) as recorder:
            model.weight.fill_(1e20)
            recorder.record()
    summary = lca.compute(tmp_path / "run", tmp_path / "store", problem)
    assert summary.nonfinite == (("train", 0),)
    assert lca.open_store(tmp_path / "store").table("iterations")["loss_after"].tolist() == [0.0]


def test_all_points_may_be_the_same(tmp_path):
    problem = hand_moved(tmp_path / "run", [0.5, 0.5, 0.5])
    lca.compute(tmp_path / "run", tmp_path / "store", problem)
    store = lca.open_store(tmp_path / "store")
    assert store.table("iterations")[["allocated", "residual"]].eq(0).all(axis=None)
    assert store.table("layers")["n_zero"].tolist() == [12, 12]
    assert store.table("histogram")[["bin", "count"]].to_numpy().tolist() == [[0, 24]]


def test_models_of_whole_layers_without_units(tmp_path):
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Parameter(torch.zeros(7, 3))

        def forward(self, inputs):
            return self.embed[inputs]

    model = Bag()
    problem = Problem(model, CROSS_ENTROPY, {"train": (torch.arange(6), torch.arange(6) % 3)})
    with torch.no_grad(), Recorder(tmp_path / "run", model) as recorder:
        model.embed += torch.randn(7, 3)
        recorder.record()
    lca.compute(tmp_path / "run", tmp_path / "store", problem)
    store = lca.open_store(tmp_path / "store")
    assert "units" not in store.tables()
    assert store.table("layers")["n_zero"].tolist() == [3], "the seventh word does not occur"


def test_a_run_that_was_recorded_now_and_then(small, tmp_path):
    run = small.record(small.build("mlp"), tmp_path / "run", iterations=7, every=3)
    lca.compute(run.path, tmp_path / "store", splits="train")
    rows = lca.open_store(tmp_path / "store").table("iterations")
    assert rows[["iteration", "iteration_next"]].to_numpy().tolist() == [[0, 3], [3, 6]]


def test_a_run_without_a_step(tmp_path):
    problem = hand_moved(tmp_path / "run", [0.5])
    with pytest.raises(NumericalError, match="no step"):
        lca.compute(tmp_path / "run", tmp_path / "store", problem)
    assert not (tmp_path / "store").exists()


def failing_training(problem, path):
    """Record two steps, then fail."""
    with Recorder(path, problem.model, problem=problem) as recorder:
        recorder.record()
        recorder.record()
        raise ZeroDivisionError


def test_an_unfinished_run_is_computed_as_far_as_it_goes(small, tmp_path):
    with pytest.raises(ZeroDivisionError):
        failing_training(small.build("mlp"), tmp_path / "run")
    summary = lca.compute(tmp_path / "run", tmp_path / "store")
    assert summary.splits[0].iterations == 2
    assert not lca.open_store(tmp_path / "store").table("runs")["complete"].iloc[0]


def test_other_data_are_refused_unless_asked_for(small, mlp_run, tmp_path):
    other = small.build("mlp", seed=1)
    with pytest.raises(MismatchError, match=r"'train' is not the data .*check_data=False"):
        lca.compute(mlp_run.path, tmp_path / "store", other)
    assert not (tmp_path / "store").exists()
    assert lca.compute(mlp_run.path, tmp_path / "store", other, check_data=False).computed == 2


def test_match_by_order_gives_the_same_tables(small, mlp_run, tmp_path):
    class Renamed(nn.Module):
        def __init__(self, first, last):
            super().__init__()
            self.first, self.last = first, last

        def forward(self, inputs):
            return self.last(torch.tanh(self.first(inputs)))

    problem = small.build("mlp")
    problem.model = Renamed(problem.model[0], problem.model[2])
    with pytest.raises(MismatchError, match=r"'0\.weight' was recorded, .* first\.weight"):
        lca.compute(mlp_run.path, tmp_path / "renamed", problem, splits="train")
    lca.compute(mlp_run.path, tmp_path / "renamed", problem, splits="train", match="order")
    lca.compute(mlp_run.path, tmp_path / "plain", splits="train")
    tables = [lca.open_store(tmp_path / name).table("layers") for name in ("renamed", "plain")]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"splits": "test"}, NotFoundError, "'test'.*train, validation"),
        ({"splits": []}, ArgumentError, "at least one split"),
        ({"splits": ["train", "train"]}, ArgumentError, "each once"),
        ({"rule": "runge"}, ArgumentError, "paper, euler"),
        ({"match": "shape"}, ArgumentError, "'shape'"),
        ({"range_length": 0}, ArgumentError, "range_length"),
        ({"sample_seed": -1}, ArgumentError, "sample_seed"),
        ({"workers": -1}, ArgumentError, "workers"),
        ({"speed": 3}, ArgumentError, "no option 'speed'; it has: rule, .*overwrite"),
    ],
)
def test_arguments_that_cannot_be_used(mlp_run, tmp_path, arguments, error, words):
    with pytest.raises(error, match=words):
        lca.compute(mlp_run.path, tmp_path / "store", **arguments)
    assert not (tmp_path / "store").exists()


def test_a_run_that_does_not_say_what_it_was_trained_on(tmp_path):
    hand_moved(tmp_path / "run", [0.1, 0.2])
    with pytest.raises(MismatchError, match="name its problem"):
        lca.compute(tmp_path / "run", tmp_path / "store")


def test_code_inside_the_run_is_not_executed(small, tmp_path):
    (tmp_path / "run").mkdir()
    problem = small.build("mlp")
    with Recorder(tmp_path / "other", problem.model, problem=f"{tmp_path}/run/mine.py:build") as recorder:
        recorder.record()
    (tmp_path / "run").rmdir()
    (tmp_path / "other").rename(tmp_path / "run")
    (tmp_path / "run" / "mine.py").write_text("raise SystemExit('executed')")
    with pytest.raises(MismatchError, match="a file inside the run itself"):
        lca.compute(tmp_path / "run", tmp_path / "store")


def test_a_problem_object_stays_in_this_process(tmp_path):
    problem = hand_moved(tmp_path / "run", [0.1, 0.2, 0.3])
    with pytest.raises(ArgumentError, match="workers=1"):
        lca.compute(tmp_path / "run", tmp_path / "store", problem, workers=2, range_length=1)


def test_a_worker_that_dies_is_reported(small, tmp_path):
    problem = small.build("deadly", process=None)
    with Recorder(tmp_path / "run", problem.model, problem=small.build("deadly", process="worker")) as recorder:
        recorder.record()
        recorder.record()
    with pytest.raises(LcaError, match="a worker process died"):
        lca.compute(tmp_path / "run", tmp_path / "store", workers=2, range_length=1)


def test_threads_and_modes_are_put_back(mlp_run, tmp_path, two_threads):
    lca.compute(mlp_run.path, tmp_path / "store", splits="train")
    assert torch.get_num_threads() == two_threads
    assert torch.is_grad_enabled()


def test_progress_covers_all_splits_and_iterations(mlp_run, tmp_path, capsys):
    lca.compute(mlp_run.path, tmp_path / "store", progress=True)
    assert "22/22" in capsys.readouterr().err


def test_zero_workers_are_one_per_core():
    assert Execution(workers=0).workers == 0


def test_numbers_of_half_precision_runs(tmp_path):
    points = [torch.linspace(-1, 1, 12).view(3, 4), torch.linspace(-1, 1.5, 12).view(3, 4)]
    for dtype in (torch.float16, torch.bfloat16):
        folder = tmp_path / str(dtype)
        problem = hand_moved(folder / "run", points, dtype)
        lca.compute(folder / "run", folder / "store", problem)
        rows = lca.open_store(folder / "store").table("series")
        wanted = [point.to(dtype).double().numpy().ravel() for point in points]
        np.testing.assert_array_equal(rows["weight"], wanted[0].astype(np.float32))
        np.testing.assert_allclose(rows["step"], wanted[1] - wanted[0], rtol=1e-6)
