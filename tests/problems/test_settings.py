import math

import msgspec
import pytest
import torch
from torch import nn

from lca_analysis.errors import ArgumentError
from lca_analysis.problems import OPTIMIZERS, Intervention, TrainingSettings
from lca_analysis.problems.settings import make_optimizer, make_schedule


def rates(**settings):
    """Collect the learning rate that each step uses."""
    chosen = TrainingSettings(**settings)
    optimizer = make_optimizer(chosen, nn.Linear(1, 1))
    schedule = make_schedule(chosen, optimizer)
    used = []
    for _ in range(chosen.iterations):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return used


def test_the_constant_schedule_is_constant():
    assert rates(iterations=12, learning_rate=0.3) == [0.3] * 12


def test_drops_divide_the_rate_by_ten():
    used = rates(iterations=9, learning_rate=0.5, schedule="step", drops=(3, 7))
    assert used == pytest.approx([0.5] * 3 + [0.05] * 4 + [0.005] * 2, rel=1e-12)


def test_the_cosine_goes_to_zero_at_the_end():
    used = rates(iterations=10, learning_rate=0.2, schedule="cosine")
    assert used == pytest.approx([0.1 * (1 + math.cos(math.pi * t / 10)) for t in range(10)], rel=1e-12)


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine"])
def test_the_warm_up_rises_linearly_from_a_hundredth_and_the_schedule_follows(schedule):
    drops = (7, 10) if schedule == "step" else ()
    used = rates(iterations=13, learning_rate=0.4, schedule=schedule, drops=drops, warmup=4)
    rise = [0.4 * (0.01 + 0.99 * t / 4) for t in range(4)]
    rest = {
        "constant": [0.4] * 9,
        "step": [0.4] * 3 + [0.04] * 3 + [0.004] * 3,
        "cosine": [0.2 * (1 + math.cos(math.pi * t / 9)) for t in range(9)],
    }
    assert used == pytest.approx(rise + rest[schedule], rel=1e-9)


def trajectory(gradients, **settings):
    """Move one weight, at 1 in the beginning, along given gradients."""
    weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    model = nn.ParameterList([weight])
    optimizer = make_optimizer(TrainingSettings(**settings), model)
    places = []
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        places.append(weight.item())
    return places


GRADIENTS = (1.0, -0.5, 2.0, 0.25)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_is_the_heavy_ball_with_coupled_decay(nesterov):
    weight, velocity, expected = 1.0, 0.0, []
    for gradient in GRADIENTS:
        full = gradient + 0.01 * weight
        velocity = 0.8 * velocity + full
        weight -= 0.1 * (full + 0.8 * velocity if nesterov else velocity)
        expected.append(weight)
    found = trajectory(GRADIENTS, learning_rate=0.1, momentum=0.8, weight_decay=0.01, nesterov=nesterov)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_adam_couples_its_decay_and_adamw_does_not(optimizer):
    weight, first, second, expected = 1.0, 0.0, 0.0, []
    for step, gradient in enumerate(GRADIENTS, start=1):
        if optimizer == "adam":
            gradient += 0.1 * weight
        else:
            weight *= 1 - 0.01 * 0.1
        first = 0.7 * first + 0.3 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        weight -= 0.01 * (first / (1 - 0.7**step)) / (math.sqrt(second / (1 - 0.999**step)) + 1e-8)
        expected.append(weight)
    found = trajectory(GRADIENTS, optimizer=optimizer, learning_rate=0.01, momentum=0.7, weight_decay=0.1)
    assert found == pytest.approx(expected, rel=1e-10)


def test_rmsprop_has_momentum_after_the_scaling():
    weight, square, velocity, expected = 1.0, 0.0, 0.0, []
    for gradient in GRADIENTS:
        full = gradient + 0.1 * weight
        square = 0.99 * square + 0.01 * full**2
        velocity = 0.6 * velocity + full / (math.sqrt(square) + 1e-8)
        weight -= 0.01 * velocity
        expected.append(weight)
    found = trajectory(GRADIENTS, optimizer="rmsprop", learning_rate=0.01, momentum=0.6, weight_decay=0.1)
    assert found == pytest.approx(expected, rel=1e-10)


def test_every_optimizer_is_known_by_its_name():
    classes = [type(make_optimizer(TrainingSettings(optimizer=name), nn.Linear(1, 1))) for name in OPTIMIZERS]
    assert classes == [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop]


def test_settings_are_held_by_json():
    changed = (Intervention("fc3", freeze_from=2), Intervention("fc1", learning_rate=0.1))
    settings = TrainingSettings(iterations=9, schedule="step", drops=(3, 7), momentum=0.5, interventions=changed)
    assert msgspec.json.decode(settings.to_json(), type=TrainingSettings) == settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iterations": 0}, "iterations must be 1 or more, not 0"),
        ({"iterations": 2.5}, "iterations must be a whole number, not 2.5"),
        ({"iterations": "9"}, "iterations must be a whole number, not '9'"),
        ({"batch_size": 0}, "batch_size must be 1 or more"),
        ({"seed": None}, "seed must be a whole number, not None"),
        (
            {"iterations": 5, "interventions": (Intervention("fc1", freeze_from=5),)},
            "layer 'fc1' is to be frozen from 5 on, but there are 5 iterations",
        ),
        ({"optimizer": "lion"}, "no optimizer 'lion'; known: sgd, adam, adamw, rmsprop"),
        ({"schedule": "saw"}, "no schedule 'saw'; known: constant, step, cosine"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0, not nan"),
        ({"learning_rate": math.inf}, "learning_rate must be above 0, not inf"),
        ({"momentum": 1.0}, "momentum must be from 0 to below 1"),
        ({"momentum": -0.1}, "momentum must be from 0"),
        ({"momentum": math.nan}, "momentum must be from 0"),
        ({"weight_decay": -1e-4}, "weight_decay must be 0 or more"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov needs sgd"),
        ({"nesterov": True, "optimizer": "adam"}, "nesterov needs sgd"),
        ({"schedule": "step"}, "drops go with the step schedule"),
        ({"drops": (3,)}, "drops go with the step schedule"),
        ({"schedule": "step", "drops": (5, 3)}, "drops must rise"),
        ({"schedule": "step", "drops": (3,), "warmup": 3}, "after the warm-up of 3 iterations"),
        ({"warmup": 400}, "warmup must be from 0 to below the 400 iterations"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(changes, message):
    with pytest.raises(ArgumentError, match=message):
        TrainingSettings(**changes)
