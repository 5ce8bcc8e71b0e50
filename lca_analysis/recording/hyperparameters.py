"""What the optimizer used, as plain numbers."""

import warnings
from typing import Any

import torch
from torch import nn

from lca_analysis.trajectory import OptimizerInfo

Groups = list[dict[str, Any]]
_FIXED = (type(None), bool, int, float, str)


def unwrap_optimizer(optimizer: torch.optim.Optimizer | None) -> torch.optim.Optimizer | None:
    """Give the optimizer inside the wrappers of training frameworks, whose own steps the hooks see."""
    inner = getattr(optimizer, "optimizer", None)
    return unwrap_optimizer(inner) if isinstance(inner, torch.optim.Optimizer) else optimizer


def hyperparameters(optimizer: torch.optim.Optimizer | None) -> Groups:
    """Read the hyper-parameters of each parameter group as they are now: numbers, words and lists of them.

    A number that lives on an accelerator is copied there and not waited for; `as_numbers` reads it.
    """
    if optimizer is None:
        return []
    return [
        {name: plain for name, value in group.items() if name != "params" and (plain := _plain(value)) is not ...}
        for group in optimizer.param_groups
    ]


class HyperparameterReader:
    """Reads the hyper-parameters of an optimizer at every step, and gives the same object while they are the same."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._seen: list[list[tuple[str, Any]]] = []
        self._groups: Groups = []
        self._fixed = False

    def read(self) -> Groups:
        """Read them as `hyperparameters` does."""
        groups = self._optimizer.param_groups
        if self._fixed:
            now = [[item for item in group.items() if item[0] != "params"] for group in groups]
            if now == self._seen:
                return self._groups
        self._groups = hyperparameters(self._optimizer)
        self._seen = [[item for item in group.items() if item[0] != "params"] for group in groups]
        # What can change in place cannot be told from what it was: such groups are read anew each time.
        self._fixed = all(_is_fixed(value) for items in self._seen for _, value in items)
        return self._groups


def as_numbers(groups: Groups) -> Groups:
    """Read what still lives on an accelerator."""
    return [{name: _number(value) for name, value in group.items()} for group in groups]


class Memberships:
    """Which recorded tensors each parameter group holds.

    A tensor of the model belongs to a group when it, or the memory that it is a view of, is one of the group's
    parameters: models that are trained as one stack of weights are views of what the optimizer knows.
    """

    def __init__(self, model: nn.Module) -> None:
        named = list(model.named_parameters())
        self._names = {id(parameter): [name] for name, parameter in named}
        self._views: dict[int, list[str]] = {}
        for name, parameter in named:
            if _is_part(parameter):
                self._views.setdefault(parameter.untyped_storage().data_ptr(), []).append(name)

    def of(self, group: dict[str, Any]) -> list[str]:
        """Names of a group's tensors, in the group's order."""
        return [name for parameter in group["params"] for name in self._of_parameter(parameter)]

    def say_foreign(self, optimizer: torch.optim.Optimizer) -> None:
        """Warn when an optimizer moves nothing of the model."""
        if not any(self.of(group) for group in optimizer.param_groups):
            warnings.warn(
                "none of the optimizer's parameters is one of the model's: what the model's weights become is recorded "
                "after each of its steps, but is it the optimizer that trains this model?",
                UserWarning,
                stacklevel=5,
            )

    def say_unrecorded(self, group: dict[str, Any], number: int, iteration: int) -> None:
        """Warn of parameters in a group that joined in training, and that the run does not hold."""
        lost = sum(not self._of_parameter(parameter) for parameter in group["params"])
        if lost:
            warnings.warn(
                f"parameter group {number}, added after iteration {iteration}, has {lost} parameters that the model "
                "did not have when recording started: they are not recorded; close this Recorder and record what "
                "follows to another folder",
                UserWarning,
                stacklevel=6,
            )

    def _of_parameter(self, parameter: torch.Tensor) -> list[str]:
        """Names of one parameter, or of the views of it."""
        if (own := self._names.get(id(parameter))) is not None:
            return own
        return self._views.get(parameter.untyped_storage().data_ptr(), [])


def describe_optimizer(
    optimizer: torch.optim.Optimizer | None, model: nn.Module, follows_gradient: bool = True
) -> OptimizerInfo:
    """Describe an optimizer: its class, its hyper-parameters, and the tensors of each group."""
    if optimizer is None:
        return OptimizerInfo(follows_gradient=follows_gradient)
    memberships = Memberships(model)
    members = [memberships.of(group) for group in optimizer.param_groups]
    return OptimizerInfo(
        type(optimizer).__name__,
        as_numbers(hyperparameters(optimizer)),
        members,
        fresh=not optimizer.state,
        follows_gradient=follows_gradient,
    )


def _is_part(tensor: torch.Tensor) -> bool:
    """Whether a tensor is only a part of the memory behind it."""
    return tensor.untyped_storage().nbytes() > tensor.numel() * tensor.element_size()


def _is_fixed(value: Any) -> bool:
    """Whether a hyper-parameter can only change by being replaced."""
    return isinstance(value, _FIXED) or (isinstance(value, tuple) and all(isinstance(item, _FIXED) for item in value))


def _plain(value: Any) -> Any:
    """Turn a hyper-parameter into what JSON holds; an ellipsis for what is no hyper-parameter."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            return ...
        return value.item() if value.device.type == "cpu" else value.detach().clone()
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return ... if any(item is ... for item in items) else items
    return ...


def _number(value: Any) -> Any:
    """Read a number off its device."""
    if isinstance(value, torch.Tensor):
        return value.item()
    return [_number(item) for item in value] if isinstance(value, list) else value
