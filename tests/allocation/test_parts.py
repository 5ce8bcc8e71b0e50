"""Parts of the update against torch's own optimizers: each part is a step of the real optimizer without the others.

A step of SGD is linear in momentum buffer, decay and gradient. So the momentum's part is what the optimizer, with the
state that it really had, does without gradient and decay; and so on.
"""

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.problems import Problem
from lca_analysis.recording import Recorder, RecorderOptions

PARTS = ["lca_momentum", "lca_decay", "lca_gradient"]
CROSS_ENTROPY = nn.CrossEntropyLoss(reduction="none")


class SGDW(torch.optim.SGD):
    """SGD with decoupled weight decay, written out."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                state = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = parameter.grad.clone()
                else:
                    state["momentum_buffer"].mul_(group["momentum"]).add_(parameter.grad)
                update = state["momentum_buffer"]
                if group["nesterov"]:
                    update = parameter.grad + group["momentum"] * update
                parameter.sub_(group["lr"] * update)


def one_group(kind, **settings):
    return lambda model: kind(model.parameters(), **settings)


def two_groups(model):
    groups = [
        {"params": model[0].parameters(), "momentum": 0.5, "weight_decay": 0.3},
        {"params": model[2].parameters(), "lr": 0.02, "nesterov": True},
    ]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9)


def keep(optimizer, iteration):
    """Change nothing."""


def drop_rate(optimizer, iteration):
    for group in optimizer.param_groups:
        group["lr"] *= 0.5 if iteration == 3 else 1.1


def change_momentum(optimizer, iteration):
    for group in optimizer.param_groups:
        group["momentum"] = 0.9 - 0.1 * iteration


SGD = torch.optim.SGD
CASES = {
    "plain": (one_group(SGD, lr=0.1), keep),
    "plain-decay": (one_group(SGD, lr=0.1, weight_decay=0.2), drop_rate),
    "momentum": (one_group(SGD, lr=0.1, momentum=0.9), keep),
    "momentum-rate": (one_group(SGD, lr=0.1, momentum=0.9, weight_decay=0.1), drop_rate),
    "dampening": (one_group(SGD, lr=0.1, momentum=0.9, dampening=0.4, weight_decay=0.1), keep),
    "nesterov": (one_group(SGD, lr=0.1, momentum=0.9, nesterov=True), keep),
    "nesterov-decay-rate": (one_group(SGD, lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True), drop_rate),
    "changing-momentum": (one_group(SGD, lr=0.1, momentum=0.9, weight_decay=0.1), change_momentum),
    "changing-nesterov": (one_group(SGD, lr=0.1, momentum=0.9, nesterov=True), change_momentum),
    "decoupled": (one_group(SGDW, lr=0.1, momentum=0.9, weight_decay=0.1), drop_rate),
    "decoupled-nesterov": (one_group(SGDW, lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True), drop_rate),
    "maximize": (one_group(SGD, lr=0.01, momentum=0.9, weight_decay=0.1, maximize=True), keep),
    "groups": (two_groups, drop_rate),
}


def lone_part(make, problem, optimizer, part):
    """What the real optimizer does when it has only its momentum, its decay, or its gradient."""
    model = copy.deepcopy(problem.model)
    lone = make(model)
    lone.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter, original in zip(model.parameters(), problem.model.parameters(), strict=True):
        parameter.grad = original.grad.clone() if part == "lca_gradient" else torch.zeros_like(parameter)
    if part != "lca_decay":
        for group in lone.param_groups:
            group["weight_decay"] = 0.0
    if part != "lca_momentum":
        for state in lone.state.values():
            for value in state.values():
                if isinstance(value, torch.Tensor) and value.dim():
                    value.zero_()
    lone.step()
    moved = zip(model.named_parameters(), before, strict=True)
    return {name: (parameter.detach() - old).numpy().ravel() for (name, parameter), old in moved}


def train(problem, path, make, change=keep, steps=8, before=0, parts=PARTS, **recorder):
    """Record a training in double precision; give what moved each tensor in every step."""
    inputs, targets = problem.split("train")
    optimizer = make(problem.model)
    truths = []

    def step(iteration):
        optimizer.zero_grad()
        chosen = torch.arange(iteration, iteration + 8) % len(inputs)
        problem.loss(problem.model(inputs[chosen]), targets[chosen]).mean().backward()
        change(optimizer, iteration)
        truths.append({part: lone_part(make, problem, optimizer, part) for part in parts})
        optimizer.step()

    for iteration in range(before):
        step(iteration)
    with Recorder(path, problem.model, optimizer, problem=problem, **recorder):
        for iteration in range(before, before + steps):
            step(iteration)
    return truths[before:]


def tables(run, store, **settings):
    """Compute; give the rows of the layers, and the path gradient of each tensor in each step."""
    lca.compute(run, store, splits="train", **{"range_length": 3, "rule": "simpson", **settings})
    opened = lca.open_store(store)
    series = opened.table("series")
    gradients = {key: rows["path_gradient"].to_numpy() for key, rows in series.groupby(["iteration", "tensor"])}
    return opened.table("layers").set_index(["iteration", "tensor"]), gradients


def check(rows, gradients, truths, parts=PARTS, first=0):
    """Compare all steps from a first one on."""
    compared = 0
    scale = rows["lca"].abs().max()
    for (iteration, name), row in rows.iterrows():
        if iteration < first:
            continue
        for part in parts:
            wanted = float(truths[iteration][part][name] @ gradients[iteration, name])
            assert row[part] == pytest.approx(wanted, rel=1e-8, abs=1e-11 * scale), (iteration, name, part)
            compared += 1
    assert compared


@pytest.mark.parametrize("name", CASES)
def test_every_part_is_that_of_the_real_optimizer(small, tmp_path, name):
    problem = small.build("mlp", dtype="float64")
    truths = train(problem, tmp_path / "run", *CASES[name])
    rows, gradients = tables(tmp_path / "run", tmp_path / "store")
    check(rows, gradients, truths)
    assert rows["parts_reason"].isna().all()
    np.testing.assert_allclose(rows[PARTS].sum(axis=1), rows["lca"], rtol=1e-13, atol=1e-16)
    assert rows.loc[0, "lca_momentum"].eq(0).all()


def test_single_precision_is_close(small, tmp_path):
    problem = small.build("mlp")
    truths = train(problem, tmp_path / "run", *CASES["nesterov-decay-rate"])
    rows, gradients = tables(tmp_path / "run", tmp_path / "store")
    for (iteration, name), row in rows.iterrows():
        for part in PARTS:
            wanted = float(truths[iteration][part][name] @ gradients[iteration, name])
            assert row[part] == pytest.approx(wanted, abs=2e-6)


def test_adamw_is_decay_against_the_rest(small, tmp_path):
    problem = small.build("mlp", dtype="float64")
    make = one_group(torch.optim.AdamW, lr=0.02, weight_decay=0.3)
    truths = train(problem, tmp_path / "run", make, drop_rate, parts=["lca_decay"])
    rows, gradients = tables(tmp_path / "run", tmp_path / "store")
    check(rows, gradients, truths, ["lca_decay"])
    assert rows[["lca_momentum", "lca_gradient"]].isna().all(axis=None)
    assert rows["parts_reason"].str.contains("running scale mixes momentum and fresh gradient").all()


def test_parts_of_classes_sum_to_those_of_all(small, tmp_path):
    problem = small.build("by_class")
    train(problem, tmp_path / "run", *CASES["momentum-rate"], steps=3)
    lca.compute(tmp_path / "run", tmp_path / "store", problem, splits="train", classes=True)
    rows = lca.open_store(tmp_path / "store").table("layers").set_index(["iteration", "tensor", "class"])[PARTS]
    whole = rows.xs(-1, level="class")
    classes = rows.drop(-1, level="class").groupby(level=["iteration", "tensor"]).sum()
    np.testing.assert_allclose(classes.loc[whole.index], whole, atol=1e-7)
    assert whole.loc[2].ne(0).all(axis=None)


def reasons(rows, iteration):
    """Give the reasons of one step; all parts must be missing."""
    chosen = rows.loc[iteration]
    assert chosen[PARTS].isna().all(axis=None)
    found = set(chosen["parts_reason"])
    assert all(reason.startswith("not available: ") for reason in found)
    return " ".join(sorted(found))


def test_momentum_that_began_before_the_recording(small, tmp_path):
    problem = small.build("mlp", dtype="float64")
    truths = train(problem, tmp_path / "run", *CASES["momentum"], steps=4, before=2)
    rows, gradients = tables(tmp_path / "run", tmp_path / "store")
    assert "momentum before this step is not known" in reasons(rows, 0)
    check(rows, gradients, truths, first=1)


def test_nesterov_momentum_is_known_once_its_beginning_is_forgotten(small, tmp_path):
    problem = small.build("mlp", dtype="float64")
    make = one_group(SGD, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1)
    truths = train(problem, tmp_path / "run", make, steps=53, before=2)
    rows, gradients = tables(tmp_path / "run", tmp_path / "store", rule="euler", range_length=7)
    # An error of b shrinks by .9 / 1.9 a step: below double precision after 49 steps.
    assert "momentum before this step is not known" in reasons(rows, list(range(49)))
    check(rows, gradients, truths, first=49)
    assert rows["parts_reason"].notna().groupby(level=0).all().sum() == 49


def test_gaps_between_recorded_points(small, tmp_path):
    problem = small.build("mlp", dtype="float64")
    truths = train(problem, tmp_path / "run", *CASES["momentum"], steps=9, windows=[(0, 2), (5, 9)])
    rows, gradients = tables(tmp_path / "run", tmp_path / "store")
    assert "3 training iterations lie between" in reasons(rows, 2)
    assert "momentum before this step is not known" in reasons(rows, 5)
    for iteration in (0, 1, 6, 7, 8):
        check(rows.loc[[iteration]], gradients, truths)


OTHERS = {
    "every second step": (CASES["momentum"][0], {"every": 2}, "2 training iterations lie between"),
    "another optimizer": (one_group(torch.optim.RMSprop, lr=0.01), {}, "RMSprop is not an optimizer that can"),
    "no gradient": (
        CASES["momentum"][0],
        {"options": RecorderOptions(follows_gradient=False)},
        "not available: the updates of this run follow no gradient of the loss",
    ),
    "coupled decay in Adam": (one_group(torch.optim.Adam, lr=0.01, weight_decay=0.1), {}, "divides weight decay and"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_cannot_be_taken_apart(small, tmp_path, name):
    make, recorder, words = OTHERS[name]
    train(small.build("mlp", dtype="float64"), tmp_path / "run", make, steps=4, parts=[], **recorder)
    rows, _ = tables(tmp_path / "run", tmp_path / "store")
    for iteration in rows.index.unique(0):
        assert words in reasons(rows, iteration)


def test_a_run_without_hyper_parameters(small, tmp_path):
    problem = small.build("mlp")
    with torch.no_grad(), Recorder(tmp_path / "run", problem.model, problem=problem) as recorder:
        problem.model[0].weight += 0.1
        recorder.record()
    rows, _ = tables(tmp_path / "run", tmp_path / "store")
    assert "the run has no hyper-parameters" in reasons(rows, 0)


def test_half_precision(small, tmp_path):
    problem = small.build("mlp", dtype="bfloat16")
    train(problem, tmp_path / "run", *CASES["momentum"], steps=3, parts=[])
    rows, _ = tables(tmp_path / "run", tmp_path / "store")
    assert "rounding of bfloat16 hides the momentum" in reasons(rows, 1)


def test_tensors_that_stand_still(small, tmp_path):
    problem = small.build("mlp", dtype="float64")
    problem.model[0].bias.requires_grad_(False)

    def make(model):
        parameters = [p for n, p in model.named_parameters() if n != "2.bias"]
        return SGD([p for p in parameters if p.requires_grad], lr=0.1, momentum=0.9)

    inputs, targets = problem.split("train")
    optimizer = make(problem.model)
    with Recorder(tmp_path / "run", problem.model, optimizer, problem=problem) as recorder:
        for iteration in range(4):
            optimizer.zero_grad()
            problem.loss(problem.model(inputs), targets).mean().backward()
            if iteration == 1:
                recorder.skip()
            elif iteration == 2:
                problem.model[0].weight.grad = None
                optimizer.step()
            else:
                if iteration == 3:
                    with torch.no_grad():
                        problem.model[2].bias += 0.1
                optimizer.step()
    rows, _ = tables(tmp_path / "run", tmp_path / "store")
    for iteration, name in itertools.chain(((i, "0.bias") for i in range(4)), [(1, "2.weight"), (2, "0.weight")]):
        assert rows.loc[(iteration, name), ["lca", *PARTS]].eq(0).all()
    assert "no group of the optimizer" in rows.loc[(3, "2.bias"), "parts_reason"]
    # The skipped step and the missing gradient left the buffer as it was: b = −Δ/η of the last real step.
    moved = [point.weights["0.weight"] for point in lca.open_run(tmp_path / "run").walk()]
    gradient = lca.open_store(tmp_path / "store").table("series").set_index(["iteration", "tensor"])["path_gradient"]
    wanted = 0.9 * float((moved[1] - moved[0]).ravel() @ gradient.loc[(3, "0.weight")])
    assert rows.loc[(3, "0.weight"), "lca_momentum"] == pytest.approx(wanted, rel=1e-9)


def test_running_statistics_have_no_parts(small, tmp_path):
    problem = small.build("batch_norm")
    problem = Problem(problem.model, CROSS_ENTROPY, dict(problem.splits), 10, normalization="eval")
    train(problem, tmp_path / "run", *CASES["momentum"], steps=2, parts=[])
    lca.compute(tmp_path / "run", tmp_path / "store", problem, "train")
    rows = lca.open_store(tmp_path / "store").table("layers").set_index("layer")
    assert rows.loc["buffers", PARTS].isna().all(axis=None)
    assert rows.loc["buffers", "parts_reason"].str.contains("running statistics").all()
