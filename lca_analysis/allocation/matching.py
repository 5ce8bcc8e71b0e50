"""Which tensor of the run is which parameter of the model."""

from torch import nn

from lca_analysis.errors import ArgumentError, MismatchError
from lca_analysis.trajectory import Run, TensorInfo


def match_parameters(run: Run, model: nn.Module, match: str = "name") -> list[tuple[TensorInfo, nn.Parameter]]:
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
    list of (TensorInfo, Parameter)
        In the run's order.

    Raises
    ------
    MismatchError
        They differ; the message names the first difference.
    ArgumentError
        `match` is neither.
    """
    recorded, known = run.parameters, dict(model.named_parameters())
    if match == "order":
        pairs = _by_order(run, recorded, known)
    elif match == "name":
        pairs = _by_name(run, recorded, known)
    else:
        raise ArgumentError(f'match must be "name" or "order", not {match!r}')
    for tensor, parameter in pairs:
        if tuple(parameter.shape) != tensor.shape:
            raise MismatchError(
                f"{run.path}: tensor {tensor.name!r} was recorded with shape {tensor.shape}, but the problem's "
                f"model has {tuple(parameter.shape)}: it is another model"
            )
    return pairs


def _by_name(
    run: Run, recorded: list[TensorInfo], known: dict[str, nn.Parameter]
) -> list[tuple[TensorInfo, nn.Parameter]]:
    """Pair by equal names, none left over on either side."""
    names = {tensor.name for tensor in recorded}
    for tensor in recorded:
        if tensor.name not in known:
            raise MismatchError(
                f"{run.path}: tensor {tensor.name!r} was recorded, but the problem's model has no parameter of this "
                f'name (it has {", ".join(list(known)[:6])} …); match by "order" if only names differ'
            )
    for name in known:
        if name not in names:
            raise MismatchError(f"{run.path}: the problem's model has a parameter {name!r} that was not recorded")
    return [(tensor, known[tensor.name]) for tensor in recorded]


def _by_order(
    run: Run, recorded: list[TensorInfo], known: dict[str, nn.Parameter]
) -> list[tuple[TensorInfo, nn.Parameter]]:
    """Pair by position."""
    if len(recorded) != len(known):
        raise MismatchError(
            f"{run.path}: {len(recorded)} parameters were recorded, but the problem's model has {len(known)}"
        )
    return list(zip(recorded, known.values(), strict=True))
