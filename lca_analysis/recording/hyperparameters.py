"""What the optimizer used, as plain numbers."""

from typing import Any

import torch
from torch import nn

from lca_analysis.trajectory import OptimizerInfo

Groups = list[dict[str, Any]]


def hyperparameters(optimizer: torch.optim.Optimizer | None) -> Groups:
    """Read the hyper-parameters of each parameter group: numbers, words and lists of them."""
    if optimizer is None:
        return []
    return [
        {name: plain for name, value in group.items() if name != "params" and (plain := _plain(value)) is not ...}
        for group in optimizer.param_groups
    ]


def describe_optimizer(optimizer: torch.optim.Optimizer | None, model: nn.Module) -> OptimizerInfo:
    """Describe an optimizer: its class, its hyper-parameters, and the tensors of each group."""
    if optimizer is None:
        return OptimizerInfo()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    members = [
        [names[id(parameter)] for parameter in group["params"] if id(parameter) in names]
        for group in optimizer.param_groups
    ]
    return OptimizerInfo(type(optimizer).__name__, hyperparameters(optimizer), members)


def _plain(value: Any) -> Any:
    """Turn a hyper-parameter into what JSON holds; an ellipsis for what is no hyper-parameter."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.Tensor):
        return value.item() if value.numel() == 1 else ...
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return ... if ... in items else items
    return ...
