"""How a built-in training run goes, in values that a manifest can hold."""

import math
from dataclasses import dataclass, fields
from typing import Any

import msgspec
import torch
from torch import nn
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    SequentialLR,
)

from lca_analysis.errors import ArgumentError
from lca_analysis.problems.interventions import Intervention, parameters_of

OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop")
SCHEDULES = ("constant", "step", "cosine")


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run.

    Attributes
    ----------
    iterations : int
        Optimizer steps.
    batch_size : int
        Examples per minibatch (the paper's: 250).
    optimizer : str
        "sgd", "adam", "adamw" or "rmsprop".
    learning_rate : float
        At the start, after any warm-up.
    momentum : float
        Of sgd and rmsprop; the first beta of adam and adamw.
    weight_decay : float
        Coupled (added to the gradient), but decoupled with adamw.
    nesterov : bool
        Nesterov momentum, with sgd only.
    schedule : str
        "constant"; "step": the rate is divided by ten at each of `drops`; "cosine": to zero at the end.
    drops : tuple of int
        Iterations of the "step" schedule.
    warmup : int
        Iterations in which the rate rises linearly from a hundredth.
    seed : int
        Of the order of the examples and of dropout.
    interventions : tuple of Intervention
        What is done to single layers.
    """

    iterations: int = 400
    batch_size: int = 250
    optimizer: str = "sgd"
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.0
    nesterov: bool = False
    schedule: str = "constant"
    drops: tuple[int, ...] = ()
    warmup: int = 0
    seed: int = 0
    interventions: tuple[Intervention, ...] = ()

    def __post_init__(self) -> None:
        """Check every value."""
        for name in ("iterations", "batch_size", "warmup", "seed"):
            value = getattr(self, name)
            _need(type(value) is int, f"{name} must be a whole number, not {value!r}")
        _need(self.iterations >= 1, f"iterations must be 1 or more, not {self.iterations}")
        _need(self.batch_size >= 1, f"batch_size must be 1 or more, not {self.batch_size}")
        _need(
            self.optimizer in OPTIMIZERS,
            f"there is no optimizer {self.optimizer!r}; known: {', '.join(OPTIMIZERS)}",
        )
        _need(self.schedule in SCHEDULES, f"there is no schedule {self.schedule!r}; known: {', '.join(SCHEDULES)}")
        _need(_positive(self.learning_rate), f"learning_rate must be above 0, not {self.learning_rate}")
        _need(0 <= self.momentum < 1, f"momentum must be from 0 to below 1, not {self.momentum}")
        _need(
            self.weight_decay == 0 or _positive(self.weight_decay),
            f"weight_decay must be 0 or more, not {self.weight_decay}",
        )
        _need(
            not self.nesterov or (self.optimizer == "sgd" and self.momentum > 0),
            "nesterov needs sgd with a momentum above 0",
        )
        _need(bool(self.drops) == (self.schedule == "step"), "drops go with the step schedule, and it needs them")
        _need(
            list(self.drops) == sorted(set(self.drops)) and all(drop > self.warmup for drop in self.drops),
            f"drops must rise, and lie after the warm-up of {self.warmup} iterations, not {self.drops}",
        )
        _need(
            0 <= self.warmup < self.iterations,
            f"warmup must be from 0 to below the {self.iterations} iterations, not {self.warmup}",
        )
        for one in self.interventions:
            _need(
                one.freeze_from is None or one.freeze_from < self.iterations,
                f"layer {one.layer!r} is to be frozen from {one.freeze_from} on, "
                f"but there are {self.iterations} iterations",
            )

    def to_json(self) -> str:
        """Write the settings as JSON."""
        return msgspec.json.encode(self).decode()

    def configuration(self) -> str:
        """Say in words how the settings differ from the defaults, but for the seed: the same for all repeats."""
        plain = [
            f"{field.name} {value:g}" if isinstance(value, int | float) else f"{field.name} {value}"
            for field in fields(self)
            if field.name not in ("seed", "interventions") and (value := getattr(self, field.name)) != field.default
        ]
        return "; ".join([*plain, *map(str, self.interventions)])


def make_optimizer(settings: TrainingSettings, model: nn.Module) -> torch.optim.Optimizer:
    """Make the optimizer that the settings name, with a group of its own for each intervention, after the others'.

    Raises
    ------
    ArgumentError
        An intervention is about a layer that the model does not have.
    """
    rate, decay, momentum = settings.learning_rate, settings.weight_decay, settings.momentum
    parameters = _groups(settings, model)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, momentum, weight_decay=decay, nesterov=settings.nesterov)
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, rate, momentum=momentum, weight_decay=decay)
    betas = (momentum, 0.999)
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, rate, betas, weight_decay=decay)
    return torch.optim.AdamW(parameters, rate, betas, weight_decay=decay)


def _groups(settings: TrainingSettings, model: nn.Module) -> list[dict[str, Any]]:
    """Divide the parameters: all that no intervention is about, then those of each intervention."""
    found = parameters_of(model, settings.interventions)
    chosen = {id(parameter) for group in found for parameter in group}
    others = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
    groups: list[dict[str, Any]] = [{"params": others}] if others or not found else []
    for one, parameters in zip(settings.interventions, found, strict=True):
        group: dict[str, Any] = {"params": parameters}
        if one.learning_rate is not None:
            group["lr"] = one.learning_rate
        if one.momentum is not None and settings.optimizer.startswith("adam"):
            group["betas"] = (one.momentum, 0.999)
        elif one.momentum is not None:
            group["momentum"] = one.momentum
        groups.append(group)
    return groups


def make_schedule(settings: TrainingSettings, optimizer: torch.optim.Optimizer) -> LRScheduler:
    """Make the learning-rate schedule that the settings name; its step follows each of the optimizer's."""
    rest = settings.iterations - settings.warmup
    main: LRScheduler
    if settings.schedule == "step":
        main = MultiStepLR(optimizer, [drop - settings.warmup for drop in settings.drops])
    elif settings.schedule == "cosine":
        main = CosineAnnealingLR(optimizer, rest)
    else:
        main = ConstantLR(optimizer, factor=1.0)
    if not settings.warmup:
        return main
    rise = LinearLR(optimizer, start_factor=0.01, total_iters=settings.warmup)
    return SequentialLR(optimizer, [rise, main], [settings.warmup])


def _positive(value: float) -> bool:
    """Whether a number is finite and above 0."""
    return math.isfinite(value) and value > 0


def _need(condition: bool, message: str) -> None:
    """Raise ArgumentError unless a condition holds."""
    if not condition:
        raise ArgumentError(message)
