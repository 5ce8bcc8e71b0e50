"""Which tensor of the run is which parameter of the model."""

import msgspec
from torch import nn

from lca_analysis.allocation.norms import STATISTICS
from lca_analysis.errors import ArgumentError, MismatchError
from lca_analysis.trajectory import Run, TensorInfo

BUFFERS = "buffers"
"""The pseudo-layer of running statistics."""


def match_parameters(run: Run, model: nn.Module, match: str = "name") -> list[str]:
    """Pair the run's parameters with the model's.

    Parameters
    ----------
    run : Run
        The recorded run.
    model : torch.nn.Module
        The problem's model.
    match : str
        "name" pairs equal names; "order" pairs by position.

    Returns
    -------
    list of str
        The model's name of each recorded parameter, in the run's order.

    Raises
    ------
    MismatchError
        They differ; the message names the first difference.
    ArgumentError
        `match` is neither.
    """
    recorded, known = run.parameters, dict(model.named_parameters())
    if match == "order":
        names = _by_order(run, recorded, list(known))
    elif match == "name":
        names = _by_name(run, recorded, list(known))
    else:
        raise ArgumentError(f'match must be "name" or "order", not {match!r}')
    for tensor, name in zip(recorded, names, strict=True):
        _check(run, tensor, known[name])
    return names


def match_statistics(run: Run, model: nn.Module, moving: list[str], match: str) -> list[TensorInfo]:
    """Find the recorded running statistics of batch norm, of which the loss is a function in "eval" normalization.

    Parameters
    ----------
    run : Run
        The recorded run.
    model : torch.nn.Module
        The problem's model.
    moving : list of str
        Its running statistics, by the model's names.
    match : str
        "name" or "order".

    Returns
    -------
    list of TensorInfo
        For each, the recorded tensor, as one of the pseudo-layer `BUFFERS`.

    Raises
    ------
    MismatchError
        One was not recorded, or has another shape.
    """
    recorded = [tensor for tensor in run.tensors if tensor.role == "buffer" and "float" in tensor.dtype]
    by_name = {tensor.name: tensor for tensor in recorded}
    if match == "order":
        by_name = dict(zip(moving, (t for t in recorded if t.name.rpartition(".")[2] in STATISTICS), strict=False))
    for name in moving:
        if name not in by_name:
            raise MismatchError(
                f"{run.path}: the running statistics {name!r} were not recorded, but with normalization='eval' the "
                "loss depends on them; record (or import) the run with its buffers, or use normalization='batch'"
            )
        _check(run, by_name[name], model.get_parameter(name))
    return [msgspec.structs.replace(by_name[name], layer=BUFFERS) for name in moving]


def _by_name(run: Run, recorded: list[TensorInfo], known: list[str]) -> list[str]:
    """Pair by equal names, none left over on either side."""
    names = [tensor.name for tensor in recorded]
    advice = '; use match="order" if only the names differ' if len(names) == len(known) else ": it is another model"
    for name in names:
        if name not in known:
            raise MismatchError(
                f"{run.path}: tensor {name!r} was recorded, but the problem's model has no parameter of this name "
                f"(it has {_listed(known)}){advice}"
            )
    for name in known:
        if name not in names:
            raise MismatchError(
                f"{run.path}: the problem's model has a parameter {name!r} that was not recorded "
                f"(recorded were {_listed(names)}): it is another model"
            )
    return names


def _by_order(run: Run, recorded: list[TensorInfo], known: list[str]) -> list[str]:
    """Pair by position."""
    if len(recorded) != len(known):
        raise MismatchError(
            f"{run.path}: {len(recorded)} parameters were recorded, but the problem's model has {len(known)}"
        )
    return known


def _check(run: Run, tensor: TensorInfo, parameter: nn.Parameter) -> None:
    """Raise unless a parameter can take the recorded values."""
    if tuple(parameter.shape) != tensor.shape:
        raise MismatchError(
            f"{run.path}: tensor {tensor.name!r} was recorded with shape {tensor.shape}, but the problem's "
            f"model has {tuple(parameter.shape)}: it is another model"
        )
    if not parameter.is_floating_point() or "float" not in tensor.dtype:
        raise MismatchError(
            f"{run.path}: tensor {tensor.name!r} is {tensor.dtype} ({parameter.dtype} in the problem's model); a loss "
            "change can be allocated to floating-point parameters only"
        )


def _listed(names: list[str], most: int = 6) -> str:
    """List names, the first few of many."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
