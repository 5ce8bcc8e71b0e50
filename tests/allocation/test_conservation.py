"""The law that everything rests on, Σ_i A_i = ΔL, and allocations that are known in closed form."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.allocation import RULES
from lca_analysis.problems import Problem, TrainingSettings
from lca_analysis.recording import Recorder


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A real small training and its computed store."""
    folder = tmp_path_factory.mktemp("digits")
    lca.train(lca.build_problem("digits_mlp"), folder / "run", TrainingSettings(iterations=80))
    summary = lca.compute(folder / "run", folder / "store")
    return lca.open_store(folder / "store"), summary, lca.open_run(folder / "run")


def test_every_iteration_is_accounted_for(digits):
    store, summary, _ = digits
    rows = store.table("iterations", run="run")
    assert len(rows) == 160
    assert (rows["status"] == "ok").all()
    assert rows["residual"].abs().max() <= 1e-3
    assert (rows["residual"] == rows["loss_change"] - rows["allocated"]).all()
    assert max(split.largest_residual for split in summary.splits) == rows["residual"].abs().max()


def test_successive_iterations_share_their_losses(digits):
    store, _, _ = digits
    for split in ("train", "validation"):
        rows = store.table("iterations", run="run", split=split)
        assert (rows["loss_after"].to_numpy()[:-1] == rows["loss_before"].to_numpy()[1:]).all()


def test_the_whole_run_is_accounted_for(digits):
    store, summary, run = digits
    for split in summary.splits:
        parameters = store.table("parameters", run="run", split=split.split)
        assert parameters["lca"].sum() == pytest.approx(split.allocated, abs=1e-6)
        assert split.allocated == pytest.approx(split.loss_change, abs=80e-3)
        assert split.loss_change == pytest.approx(independent_change(run, split.split), abs=1e-5)
        assert split.loss_change < -0.5, "the network should have learned"


def independent_change(run, split):
    """L(θ_T) − L(θ_0), straight from the recorded weights."""
    problem = lca.build_problem("digits_mlp")
    losses = []
    for iteration in (run.iterations[0], run.iterations[-1]):
        problem.model.load_state_dict({name: torch.from_numpy(w) for name, w in run.weights(int(iteration)).items()})
        inputs, targets = problem.split(split)
        losses.append(float(problem.loss(problem.model(inputs), targets).mean().detach()))
    return losses[1] - losses[0]


def test_the_residual_falls_with_the_rule(digits, tmp_path):
    _, _, run = digits
    worst = {}
    for rule in ("euler", "trapezoid", "simpson"):
        summary = lca.compute(run.path, tmp_path / rule, splits="train", rule=rule)
        worst[rule] = summary.splits[0].largest_residual
    assert worst["euler"] > 5 * worst["trapezoid"]
    assert worst["trapezoid"] > 2 * worst["simpson"]


def power_run(small, folder, exponent):
    """Move θ by hand in a loss Σ_i a_i mean (θ_i − x_i)^p, and give what each parameter caused, exactly."""
    problem = small.build("power", exponent=exponent)
    scales, centers = np.array([0.3, 1.0, 2.0]), problem.split("train")[1].numpy()
    thetas = [problem.model.theta.detach().numpy().copy()]
    rng = np.random.default_rng(7)
    with Recorder(folder / "run", problem.model) as recorder:
        for _ in range(4):
            with torch.no_grad():
                problem.model.theta += torch.from_numpy(rng.normal(size=3))
            recorder.record()
            thetas.append(problem.model.theta.detach().numpy().copy())
    losses = [scales * np.mean((theta - centers) ** exponent, axis=0) for theta in thetas]
    return problem, np.diff(losses, axis=0)


# The gradient of a loss of power p has degree p − 1 along a step.
@pytest.mark.parametrize("exponent", [2, 4, 6, 8])
@pytest.mark.parametrize("rule", RULES)
def test_powers_are_exact_up_to_the_degree_of_the_rule(small, tmp_path, rule, exponent):
    problem, wanted = power_run(small, tmp_path, exponent)
    lca.compute(tmp_path / "run", tmp_path / "store", problem, rule=rule, range_length=3)
    rows = lca.open_store(tmp_path / "store").table("series", run="run").sort_values(["iteration", "index"])
    found = rows["lca"].to_numpy().reshape(4, 3)
    error = np.abs(found - wanted).max() / np.abs(wanted).max()
    if exponent - 1 <= RULES[rule].degree:
        assert error < 1e-13
    else:
        assert error > 1e-6


def test_linear_regression_under_gradient_descent(tmp_path):
    # w_t − w* = (I − ηH)^t (w_0 − w*), and the gradient is linear along a step: everything is known beforehand.
    rng = np.random.default_rng(3)
    inputs, rate, steps = rng.normal(size=(20, 4)), 0.1, 12
    targets = inputs @ np.array([1.0, -2.0, 0.5, 0.0]) + rng.normal(size=20)
    hessian = inputs.T @ inputs / 20
    best = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    model = nn.Linear(4, 1, bias=False).double()
    start = model.weight.detach().numpy().ravel().copy()
    split = torch.from_numpy(inputs), torch.from_numpy(targets)
    problem = Problem(model, lambda outputs, y: (outputs[:, 0] - y) ** 2 / 2, {"train": split})
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    with Recorder(tmp_path / "run", model, optimizer):
        for _ in range(steps):
            optimizer.zero_grad()
            problem.loss(model(split[0]), split[1]).mean().backward()
            optimizer.step()
    lca.compute(tmp_path / "run", tmp_path / "store", problem)
    contraction = np.eye(4) - rate * hessian
    path = [best + np.linalg.matrix_power(contraction, t) @ (start - best) for t in range(steps + 1)]
    wanted = [
        (after - before) * (hessian @ ((before + after) / 2 - best)) for before, after in itertools.pairwise(path)
    ]
    rows = lca.open_store(tmp_path / "store").table("series", run="run").sort_values(["iteration", "index"])
    np.testing.assert_allclose(rows["lca"].to_numpy().reshape(steps, 4), wanted, atol=1e-14, rtol=1e-10)
    assert (lca.open_store(tmp_path / "store").table("iterations")["pieces"] == 1).all()
