"""Batch norm whose loss is a function of the coordinates alone: by what it is given, or by running statistics."""

from functools import partial

import torch
from torch import nn

_Norm = nn.modules.batchnorm._NormBase
STATISTICS = ("running_mean", "running_var")


def set_norms(model: nn.Module, normalization: str) -> list[str]:
    """Prepare the norm layers of a model in evaluation mode.

    Parameters
    ----------
    model : torch.nn.Module
        The model, changed in place.
    normalization : str
        "batch": they use the statistics of what they are given, and have no others. "eval": their running statistics,
        which become parameters; layers that keep none use the statistics of what they are given.

    Returns
    -------
    list of str
        Names of the running statistics that are parameters now.
    """
    names = []
    for place, norm in model.named_modules():
        if not isinstance(norm, _Norm):
            continue
        if normalization == "eval" and norm.running_mean is not None:
            _expose_statistics(norm)
            names += [f"{place}.{name}".removeprefix(".") for name in STATISTICS]
        else:
            norm.train()
            norm.track_running_stats = False
            norm.running_mean = norm.running_var = norm.num_batches_tracked = None
    return names


def uses_batch_statistics(model: nn.Module) -> bool:
    """Whether the loss of an example depends on the examples that it is evaluated with."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    return any(norm.training or norm.running_mean is None for norm in norms)


def _expose_statistics(norm: _Norm) -> None:
    """Make running statistics parameters, and the layer an explicit function of them: torch's has no such gradient."""
    for name in STATISTICS:
        statistics = norm._buffers.pop(name)
        norm.register_parameter(name, nn.Parameter(torch.as_tensor(statistics)))
    setattr(norm, "forward", partial(_normalize, norm))  # noqa: B010


def _normalize(norm: _Norm, inputs: torch.Tensor) -> torch.Tensor:
    """Compute (x − mean) / √(var + ε) · weight + bias over channels, axis 1."""
    mean, variance = torch.as_tensor(norm.running_mean), torch.as_tensor(norm.running_var)
    scale = (variance + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight
    shift = -mean * scale
    if norm.bias is not None:
        shift = shift + norm.bias
    shape = (1, -1, *[1] * (inputs.dim() - 2))
    return inputs * scale.view(shape) + shift.view(shape)
