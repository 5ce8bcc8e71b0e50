"""What is done to single layers in training: freezing, a rate or momentum of their own, late gradients."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from lca_analysis.errors import ArgumentError


@dataclass(frozen=True)
class Intervention:
    """What is done to one layer, in values that a manifest can hold.

    Attributes
    ----------
    layer : str
        Path of a module; its parameters and those of the modules in it are meant.
    freeze_from : int, optional
        Iteration from which on its learning rate is 0; 0 keeps it at its initial values.
    learning_rate : float, optional
        Its own learning rate at the start; the schedule scales it as it does that of the others.
    momentum : float, optional
        Its own momentum (the first beta of adam and adamw).
    delay : int
        Iterations by which its minibatch gradients come late; in the first so many they are 0.
    """

    layer: str
    freeze_from: int | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    delay: int = 0

    def __post_init__(self) -> None:
        """Check every value."""
        for name in ("freeze_from", "delay"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 0):
                raise ArgumentError(f"{name} of layer {self.layer!r} must be a whole number from 0, not {value!r}")
        rate = self.learning_rate
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise ArgumentError(f"learning_rate of layer {self.layer!r} must be above 0, not {rate} (or freeze it)")
        if self.momentum is not None and not 0 <= self.momentum < 1:
            raise ArgumentError(f"momentum of layer {self.layer!r} must be from 0 to below 1, not {self.momentum}")
        if (self.freeze_from, rate, self.momentum, self.delay) == (None, None, None, 0):
            raise ArgumentError(f"nothing is done to layer {self.layer!r}; give a freeze, rate, momentum or delay")
        if self.freeze_from == 0 and (rate, self.momentum, self.delay) != (None, None, 0):
            raise ArgumentError(f"layer {self.layer!r} is frozen from the start: it needs no rate, momentum or delay")

    def __str__(self) -> str:
        """Say in words what is done."""
        words = [] if self.freeze_from is None else [f"frozen from {self.freeze_from}"]
        words += [] if self.learning_rate is None else [f"learning_rate {self.learning_rate:g}"]
        words += [] if self.momentum is None else [f"momentum {self.momentum:g}"]
        words += [f"delay {self.delay}"] if self.delay else []
        return f"{self.layer}: {', '.join(words)}"


def parameters_of(model: nn.Module, interventions: Iterable[Intervention]) -> list[list[nn.Parameter]]:
    """Find the parameters that each intervention is about.

    Raises
    ------
    ArgumentError
        A layer is not in the model, has no parameters, or shares some with another intervention's.
    """
    names = dict(model.named_parameters())
    found = []
    owner: dict[str, str] = {}
    for one in interventions:
        chosen = [name for name in names if name.startswith(f"{one.layer}.")]
        if not chosen:
            layers = sorted({name.rpartition(".")[0] for name in names} - {""})
            raise ArgumentError(f"the model has no layer {one.layer!r} with parameters; it has: {', '.join(layers)}")
        for name in chosen:
            if name in owner:
                raise ArgumentError(f"two interventions are about {name}: on {owner[name]!r} and on {one.layer!r}")
            owner[name] = one.layer
        found.append([names[name] for name in chosen])
    return found


class LateGradients:
    """Keeps the gradients of layers back by a number of iterations.

    Parameters
    ----------
    parameters : list of torch.nn.Parameter
        Whose gradients.
    delay : int
        Iterations.
    """

    def __init__(self, parameters: list[nn.Parameter], delay: int) -> None:
        self._parameters = parameters
        self._waiting = [deque[torch.Tensor](torch.zeros_like(one) for _ in range(delay)) for one in parameters]

    def exchange(self) -> None:
        """Put the gradient of `delay` calls ago, or 0, in the place of the present one."""
        for parameter, waiting in zip(self._parameters, self._waiting, strict=True):
            fresh = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.detach().clone()
            waiting.append(fresh)
            parameter.grad = waiting.popleft()

    @property
    def waiting(self) -> list[list[torch.Tensor]]:
        """The gradients of each parameter that have not had their turn, the oldest first."""
        return [list(one) for one in self._waiting]

    @waiting.setter
    def waiting(self, gradients: list[list[torch.Tensor]]) -> None:
        for one, kept in zip(self._waiting, gradients, strict=True):
            one.clear()
            one.extend(kept)


class Interventions:
    """Applies interventions between a minibatch's gradient and the optimizer's step.

    Parameters
    ----------
    model : torch.nn.Module
        The model in training.
    optimizer : torch.optim.Optimizer
        From `make_optimizer`: its last groups are those of the interventions, in their order.
    interventions : tuple of Intervention
        What is done.
    """

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, interventions: tuple[Intervention, ...]
    ) -> None:
        found = parameters_of(model, interventions)
        first_group = len(optimizer.param_groups) - len(interventions)
        self._optimizer = optimizer  # its groups are looked up each time: loading a state makes them anew
        self._frozen = [
            (one.freeze_from, group)
            for group, one in enumerate(interventions, first_group)
            if one.freeze_from is not None
        ]
        self._late = [
            LateGradients(parameters, one.delay)
            for one, parameters in zip(interventions, found, strict=True)
            if one.delay
        ]

    def apply(self, iteration: int) -> None:
        """Exchange late gradients, and set the rate of layers that are frozen in this iteration to 0."""
        for late in self._late:
            late.exchange()
        for first, group in self._frozen:
            if iteration >= first:
                self._optimizer.param_groups[group]["lr"] = 0.0

    def late_gradients(self) -> list[list[list[torch.Tensor]]]:
        """Give the gradients that wait, for each layer with a delay."""
        return [late.waiting for late in self._late]

    def restore_late_gradients(self, gradients: list[list[list[torch.Tensor]]]) -> None:
        """Put back what `late_gradients` gave."""
        for late, waiting in zip(self._late, gradients, strict=True):
            late.waiting = waiting
