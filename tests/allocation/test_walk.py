"""Ranges that go on from one another: the same steps, and nothing read or evaluated twice."""

import pytest
import torch

import lca_analysis as lca
from lca_analysis.allocation.evaluator import SplitLoss
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.allocation.walk import StepWalk

POINTS = 71
KINDS = {
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov from the 56th step on": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "adam": (torch.optim.Adam, {}),
}


@pytest.fixture(scope="module", params=KINDS)
def run(small, request, tmp_path_factory):
    """A training that began before its recording, so that momentum is known from the steps alone."""
    problem = small.build("mlp")
    make, settings = KINDS[request.param]
    optimizer = make(problem.model.parameters(), lr=0.05, **settings)
    inputs, targets = problem.split("train")
    path = tmp_path_factory.mktemp(request.param) / "run"

    def step():
        optimizer.zero_grad()
        problem.loss(problem.model(inputs), targets).mean().backward()
        optimizer.step()

    step()
    with lca.Recorder(path, problem.model, optimizer, problem=problem):
        for number in range(POINTS - 1):
            if number == 55 and "from" in request.param:
                optimizer.param_groups[0]["nesterov"] = True
            step()
    return problem, lca.open_run(path)


def walk_of(run):
    """A walk of its own, and what it evaluates with."""
    problem, opened = run
    model = FlatModel(problem, opened, "name")
    split_loss = SplitLoss(problem, "train", model)
    return StepWalk(opened, model, split_loss), split_loss


def taken(walk, first, last):
    """All that reducers see of the steps of a range."""
    found = []
    for step in walk.steps(first, last):
        ends = step.path.gradient(0.0).tolist(), step.path.gradient(1.0).tolist()
        weights = step.path.start.weights.tolist(), step.path.end.weights.tolist()
        found.append(
            (step.iteration, step.iteration_next, weights, ends, step.update.carries, step.update.buffer.tolist())
        )
    return found


@pytest.mark.parametrize(
    "ranges",
    [
        [(0, 30), (30, 60), (60, 70)],
        [(0, 3), (3, 6), (6, 9), (9, 12), (12, 15)],
        [(0, 20), (50, 70)],
        [(0, 30), (35, 50)],
        [(40, 70), (0, 30)],
    ],
)
def test_a_range_does_not_depend_on_those_before(run, ranges):
    walk, _ = walk_of(run)
    for first, last in ranges:
        found = taken(walk, first, last)
        assert [step[0] for step in found] == list(range(first, last))
        assert found == taken(walk_of(run)[0], first, last)


def test_neighbours_read_no_point_and_take_no_gradient_twice(run, monkeypatch):
    walk, split_loss = walk_of(run)
    read, original = [], FlatModel.flatten
    monkeypatch.setattr(FlatModel, "flatten", lambda *arguments: read.append(1) or original(*arguments))
    for first in (0, 30):
        taken(walk, first, first + 30)
    assert len(read) == 61
    assert split_loss.evaluations == 61


def test_a_range_that_was_broken_off_spoils_none_after_it(run):
    walk, _ = walk_of(run)
    steps = walk.steps(0, 30)
    next(steps)
    next(steps)
    steps.close()
    assert taken(walk, 1, 9) == taken(walk_of(run)[0], 1, 9)
