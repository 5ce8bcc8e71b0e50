"""Interventions against hand-written loops: bit for bit where torch computes, closed form elsewhere."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from lca_analysis.errors import ArgumentError
from lca_analysis.problems import Intervention, TrainingSettings, build_problem, train
from lca_analysis.problems.interventions import LateGradients

ITERATIONS = 8


def recorded(tmp_path, *interventions, name="run", **settings):
    chosen = TrainingSettings(ITERATIONS, 100, interventions=interventions, **settings)
    return train(build_problem("digits_mlp"), tmp_path / name, chosen, progress=False)


def by_hand(change, *, rates=None, momenta=None, iterations=ITERATIONS, decay=0.0):
    """Train with plain tensors: velocity = momentum · velocity + gradient; weight −= rate · velocity."""
    problem = build_problem("digits_mlp")
    model, (inputs, targets) = problem.model, problem.splits["train"]
    order = torch.Generator().manual_seed(0)
    shuffled = torch.randperm(len(inputs), generator=order)
    velocity = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    states = [{name: value.detach().clone() for name, value in model.named_parameters()}]
    for iteration in range(iterations):
        batch = shuffled[100 * iteration : 100 * (iteration + 1)]
        model.zero_grad()
        nn.functional.cross_entropy(model(inputs[batch]), targets[batch]).backward()
        with torch.no_grad():
            for name, value in model.named_parameters():
                layer = name.split(".")[0]
                gradient = change(layer, name, iteration, value.grad.clone()) + decay * value
                velocity[name] = (momenta or {}).get(layer, 0.9) * velocity[name] + gradient
                value -= (rates or {}).get(layer, 0.05) * velocity[name]
        states.append({name: value.detach().clone() for name, value in model.named_parameters()})
    return states


def assert_same(run, states):
    for iteration, state in enumerate(states):
        held = run.weights(iteration)
        for name, value in state.items():
            np.testing.assert_allclose(held[name], value.numpy(), rtol=1e-5, atol=1e-7, err_msg=f"{iteration} {name}")


def unchanged(layer, name, iteration, gradient):
    return gradient


def test_the_loop_by_hand_is_that_of_a_plain_run(tmp_path):
    assert_same(recorded(tmp_path), by_hand(unchanged))


@pytest.mark.parametrize("first", [0, 3])
def test_a_frozen_layer_stands_still_from_its_iteration_on_and_the_others_train(tmp_path, first):
    run = recorded(tmp_path, Intervention("fc3", freeze_from=first), weight_decay=0.01)
    held = [run.weights(t) for t in range(ITERATIONS + 1)]
    for t in range(ITERATIONS):
        still = held[t]["fc3.weight"].tobytes() == held[t + 1]["fc3.weight"].tobytes()
        assert still == (t >= first)
        assert not np.array_equal(held[t]["fc1.weight"], held[t + 1]["fc1.weight"])
    if first:
        free = recorded(tmp_path, name="free", weight_decay=0.01)
        assert np.array_equal(held[first]["fc3.weight"], free.weights(first)["fc3.weight"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("schedule", [{}, {"schedule": "cosine", "warmup": 3}, {"schedule": "step", "drops": (5,)}])
def test_a_layer_is_frozen_under_every_optimizer_and_schedule(tmp_path, optimizer, schedule):
    settings = {"optimizer": optimizer, "learning_rate": 0.01, "weight_decay": 0.01, **schedule}
    run = recorded(tmp_path, Intervention("fc2", freeze_from=4), **settings)
    assert np.array_equal(run.weights(4)["fc2.weight"], run.weights(ITERATIONS)["fc2.weight"])
    assert not np.array_equal(run.weights(3)["fc2.weight"], run.weights(4)["fc2.weight"])


def test_a_frozen_layer_is_recorded_with_the_rate_0(tmp_path):
    run = recorded(tmp_path, Intervention("fc3", freeze_from=3))
    rates = [[group["lr"] for group in point.hyperparameters] for point in run.walk()][1:]
    assert rates == [[0.05, 0.05]] * 3 + [[0.05, 0.0]] * (ITERATIONS - 3)
    assert run.manifest.optimizer.members[1] == ["fc3.weight", "fc3.bias"]


def test_a_layer_has_its_own_rate_and_momentum(tmp_path):
    run = recorded(
        tmp_path, Intervention("fc1", learning_rate=0.2), Intervention("fc3", momentum=0.0, learning_rate=0.005)
    )
    assert_same(run, by_hand(unchanged, rates={"fc1": 0.2, "fc3": 0.005}, momenta={"fc3": 0.0}))


def test_the_schedule_scales_a_rate_of_its_own(tmp_path):
    run = recorded(tmp_path, Intervention("fc3", learning_rate=0.5), schedule="step", drops=(4,))
    rates = [[group["lr"] for group in point.hyperparameters] for point in run.walk()][1:]
    np.testing.assert_allclose(rates, [[0.05, 0.5]] * 4 + [[0.005, 0.05]] * 4)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_momentum_is_the_first_beta_of_adam(tmp_path, optimizer):
    run = recorded(tmp_path, Intervention("fc3", momentum=0.3), optimizer=optimizer, learning_rate=0.01)
    assert [list(group["betas"]) for group in run.manifest.optimizer.groups] == [[0.9, 0.999], [0.3, 0.999]]


@pytest.mark.parametrize("delay", [1, 3])
def test_late_gradients_are_those_of_so_many_iterations_ago(tmp_path, delay):
    kept = {}

    def late(layer, name, iteration, gradient):
        if layer != "fc2":
            return gradient
        kept[name, iteration] = gradient
        return kept.get((name, iteration - delay), torch.zeros_like(gradient))

    run = recorded(tmp_path, Intervention("fc2", delay=delay), weight_decay=0.01)
    assert_same(run, by_hand(late, decay=0.01))


def test_late_gradients_of_a_parameter_without_one_are_0():
    parameter = nn.Parameter(torch.ones(2))
    late = LateGradients([parameter], 1)
    seen = []
    for value in (3.0, None, 5.0, 7.0):
        parameter.grad = None if value is None else torch.full((2,), value)
        late.exchange()
        seen.append(float(parameter.grad[0]))
    assert seen == [0.0, 3.0, 0.0, 5.0]


def test_an_intervention_on_a_module_is_about_all_layers_in_it(tmp_path):
    model = build_problem("digits_mlp").model
    model.add_module("inner", nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    from lca_analysis.problems.interventions import parameters_of

    found = parameters_of(model, [Intervention("inner", freeze_from=0), Intervention("fc1", delay=1)])
    assert [len(group) for group in found] == [4, 2]


def test_settings_and_group_are_in_the_manifest(tmp_path):
    run = recorded(tmp_path, Intervention("fc3", freeze_from=2), momentum=0.5, seed=4)
    held = json.loads(run.manifest.tags["settings"])
    assert held["interventions"] == [
        {"layer": "fc3", "freeze_from": 2, "learning_rate": None, "momentum": None, "delay": 0}
    ]
    group = "digits_mlp; iterations 8; batch_size 100; momentum 0.5; fc3: frozen from 2"
    assert run.manifest.tags["group"] == group


def test_the_group_is_the_same_for_all_seeds_and_another_for_another_configuration(tmp_path):
    settings = {"iterations": 1, "interventions": (Intervention("fc1", delay=2),)}
    runs = [
        train(build_problem("digits_mlp", seed=seed), tmp_path / str(seed), TrainingSettings(seed=seed, **settings))
        for seed in (0, 1)
    ]
    other = train(build_problem("digits_mlp"), tmp_path / "other", TrainingSettings(iterations=1))
    named = train(build_problem("digits_mlp"), tmp_path / "named", TrainingSettings(iterations=1), group="mine")
    groups = [run.manifest.tags["group"] for run in (*runs, other, named)]
    assert groups[0] == groups[1] != groups[2]
    assert groups[3] == "mine"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "nothing is done to layer 'fc1'"),
        ({"freeze_from": -1}, "freeze_from of layer 'fc1' must be a whole number from 0, not -1"),
        ({"delay": 1.5}, "delay of layer 'fc1' must be a whole number"),
        ({"learning_rate": 0.0}, "learning_rate of layer 'fc1' must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate of layer 'fc1' must be above 0"),
        ({"freeze_from": 0, "momentum": 0.5}, "layer 'fc1' is frozen from the start"),
        ({"momentum": 1.0}, "momentum of layer 'fc1' must be from 0 to below 1"),
    ],
)
def test_interventions_that_cannot_be_made_are_refused(values, message):
    with pytest.raises(ArgumentError, match=message):
        Intervention("fc1", **values)


def test_an_unknown_layer_is_refused_before_the_folder_is_touched(tmp_path):
    with pytest.raises(ArgumentError, match="no layer 'fc9' with parameters; it has: fc1, fc2, fc3"):
        recorded(tmp_path, Intervention("fc9", freeze_from=0))
    assert not (tmp_path / "run").exists()


def test_two_interventions_on_the_same_parameters_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"two interventions are about fc1\.weight"):
        recorded(tmp_path, Intervention("fc1", freeze_from=0), Intervention("fc1", delay=1))
