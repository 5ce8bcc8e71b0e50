"""Awkward runs from end to end: what cannot be computed is marked, all the rest is there and adds up."""

import math
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.cli.entry import main
from lca_analysis.errors import NumericalError
from lca_analysis.problems import Problem
from lca_analysis.recording import Recorder

CROSS_ENTROPY = nn.CrossEntropyLoss(reduction="none")


class Awkward(nn.Module):
    """A tied weight, a frozen and an unused layer, a scalar, an empty parameter, and a buffer of whole numbers."""

    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(5, 4, bias=False)
        self.frozen = nn.Linear(5, 5).requires_grad_(False)
        self.decode = nn.Linear(5, 4, bias=False)
        self.decode.weight = self.encode.weight
        self.unused = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.tensor(1.3))
        self.empty = nn.Parameter(torch.zeros(0, 2))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, inputs):
        if self.training:
            self.calls += 1
        hidden = torch.tanh(self.frozen(inputs))
        return self.scale * self.encode(hidden) + self.decode(hidden**2) + self.empty.sum()


def train(problem, path, steps=4):
    """Record a few steps of SGD with momentum."""
    inputs, targets = problem.split("train")
    optimizer = torch.optim.SGD([p for p in problem.model.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
    with Recorder(path, problem.model, optimizer, problem=problem):
        for _ in range(steps):
            optimizer.zero_grad()
            problem.loss(problem.model(inputs), targets).mean().backward()
            optimizer.step()


def test_awkward_parameters_from_end_to_end(tmp_path):
    torch.manual_seed(2)
    splits = {"train": (torch.randn(6, 5), torch.arange(6) % 4), "one": (torch.randn(1, 5), torch.tensor([2]))}
    problem = Problem(Awkward(), CROSS_ENTROPY, splits, batch_size=4, classes=4)
    train(problem, tmp_path / "run")
    summary = lca.compute(tmp_path / "run", tmp_path / "store", problem, classes=True, elements=True, range_length=3)
    assert summary.nonfinite == ()
    store = lca.open_store(tmp_path / "store")
    for split in splits:
        steps = store.table("iterations", split=split, class_=-1)
        np.testing.assert_allclose(steps["allocated"], steps["loss_change"], atol=1e-3)
        rows = store.table("layers", split=split, class_=-1).set_index("tensor")
        assert set(rows.index) == {
            "encode.weight", "frozen.weight", "frozen.bias", "unused.weight", "unused.bias", "scale", "empty",
        }  # fmt: skip
        still = rows.loc[["frozen.weight", "frozen.bias", "unused.weight", "unused.bias", "empty"]]
        assert still[["lca", "step_norm2", "n_helping", "n_hurting"]].eq(0).all(axis=None)
        assert rows.loc["frozen.weight", "gradient_norm2"].gt(0).all(), "a frozen layer has a gradient"
        assert rows.loc["unused.weight", "gradient_norm2"].eq(0).all()
        assert rows.loc["empty", "n_zero"].eq(0).all()
        assert rows.loc[["encode.weight", "scale"], "lca"].ne(0).all()
        parts = rows[["lca_momentum", "lca_decay", "lca_gradient"]]
        np.testing.assert_allclose(parts.sum(axis=1), rows["lca"], atol=1e-12)
        elements = store.table("elements", split=split).set_index("tensor")["lca"]
        assert {name: len(values) for name, values in elements.items()}["empty"] == 0
    empty = store.table("iterations", split="one").set_index("class")["status"]
    assert empty.loc[[0, 1, 3]].eq("empty").all()


class Hurdle(nn.Module):
    """A linear model whose loss is infinite, or not a number, at one value of its weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))

    def forward(self, inputs):
        return inputs * self.weight


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_loss_that_is_not_finite_at_one_point(tmp_path, capsys, bad):
    def loss(outputs, targets):
        return torch.where(outputs == 2.0, torch.full_like(outputs, bad), (outputs - targets).square())

    problem = Problem(Hurdle(), loss, {"train": (torch.ones(3), torch.zeros(3))})
    with torch.no_grad(), Recorder(tmp_path / "run", problem.model) as recorder:
        for value in (1.5, 2.0, 0.5, 0.25):
            problem.model.weight.fill_(value)
            recorder.record()
    summary = lca.compute(tmp_path / "run", tmp_path / "store", problem, range_length=3)
    assert summary.nonfinite == (("train", 1), ("train", 2))
    rows = lca.open_store(tmp_path / "store").table("iterations").set_index("iteration")
    assert rows["status"].tolist() == ["ok", "nonfinite", "nonfinite", "ok"]
    assert rows.loc[[0, 3], "allocated"].tolist() == pytest.approx([1.5**2 - 1, 0.25**2 - 0.5**2])
    assert rows.loc[[1, 2], "allocated"].isna().all()


def test_a_loss_that_is_not_finite_between_two_points(tmp_path):
    def loss(outputs, targets):
        return torch.where(outputs == 1.25, torch.full_like(outputs, math.nan), outputs.square())

    problem = Problem(Hurdle(), loss, {"train": (torch.ones(3), torch.zeros(3))})
    with torch.no_grad(), Recorder(tmp_path / "run", problem.model) as recorder:
        for value in (1.5, 0.5):
            problem.model.weight.fill_(value)
            recorder.record()
    lca.compute(tmp_path / "run", tmp_path / "store", problem, rule="paper")
    rows = lca.open_store(tmp_path / "store").table("iterations")
    assert rows["status"].tolist() == ["nonfinite", "ok"]
    assert rows["allocated"].iloc[1] == pytest.approx(0.5**2 - 1.5**2)


def test_the_exit_code_tells_of_it(small, tmp_path, capsys):
    problem = small.build("mlp")
    with torch.no_grad(), Recorder(tmp_path / "run", problem.model, problem=problem) as recorder:
        for value in (float("inf"), 0.1, 0.2):
            problem.model[2].weight.fill_(value)
            recorder.record()
    with pytest.raises(SystemExit) as ended:
        main(["compute", str(tmp_path / "run"), "--store", str(tmp_path / "store"), "--workers", "1", "--quiet"])
    assert ended.value.code == NumericalError.exit_code == 7
    assert "not finite at iteration 0, 1" in capsys.readouterr().err
    assert lca.open_store(tmp_path / "store").table("iterations", split="train")["status"].iloc[2] in (
        "ok",
        "tolerance",
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_single_and_says_so(small, tmp_path, dtype):
    problem = small.build("mlp", dtype=dtype)
    train(problem, tmp_path / "run", steps=2)
    lca.compute(tmp_path / "run", tmp_path / "store")
    store = lca.open_store(tmp_path / "store")
    assert set(store.table("computations")["dtype"]) == {"float32"}
    assert store.table("iterations")["status"].eq("ok").all()
    assert store.table("series")["weight"].dtype == np.float32


KILLED = """
import os, signal, sys
from lca_analysis.allocation import execution
from lca_analysis.cli.entry import main

original, seen = execution.compute_range, []


def killing(job, problem, on_step, *rest):
    def step():
        seen.append(job)
        if len(seen) == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        on_step()

    original(job, problem, step, *rest)


execution.compute_range = killing
main(["compute", *sys.argv[2:]])
"""
EVERY_TABLE = {
    "runs", "layers_index", "parameters_index", "computations", "iterations", "layers", "units", "series", "directions",
    "elements", "parameters", "histogram",
}  # fmt: skip


def test_four_runs_at_once_killed_and_resumed_in_every_table(small, tmp_path):
    problems = [small.build("mlp", seed=n, classes=3) for n in range(4)]
    runs = [small.record(problems[n], tmp_path / f"run{n}", iterations=6 + n).path for n in range(4)]
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((57, 3)))[0].T
    np.savez(tmp_path / "basis.npz", directions=basis)
    views = ["--classes", "--elements", "--directions", str(tmp_path / "basis.npz"), "--quiet", "--workers"]

    def command(store, workers):
        return [*runs, *views, str(workers), "--store", str(tmp_path / store)]

    # With both splits, 12 + 14 + 16 + 18 steps: killed within the second run and, gone on from its beginning, the last.
    for steps, begun in ((19, 2), (31, 4)):
        halted = [sys.executable, "-c", KILLED, str(steps), *command("halted", 1)]
        assert subprocess.run(halted, check=False, capture_output=True).returncode == -signal.SIGKILL
        assert len(lca.open_store(tmp_path / "halted").runs()) == begun
    for store, workers in (("halted", 2), ("whole", 1)):
        with pytest.raises(SystemExit) as ended:
            main(["compute", *command(store, workers)])
        assert ended.value.code == 0
    assert set(lca.open_store(tmp_path / "whole").tables()) == EVERY_TABLE
    assert small.snapshot(tmp_path / "halted") == small.snapshot(tmp_path / "whole")
