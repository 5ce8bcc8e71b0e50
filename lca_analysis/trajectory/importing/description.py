"""What a tensor is, as far as its name and its shape tell: checkpoints hold no modules."""

import re
from dataclasses import dataclass

from lca_analysis.trajectory.manifest import ROOT_LAYER, TensorInfo

_RUNNING = ("running_mean", "running_var", "num_batches_tracked")
_MODULES = {2: "Linear", 3: "Conv1d", 4: "Conv2d", 5: "Conv3d"}


@dataclass(frozen=True)
class Described:
    """Name, shape and dtype of a tensor in a file."""

    name: str
    shape: tuple[int, ...]
    dtype: str


def describe_by_names(found: list[Described], buffers: tuple[str, ...] = ()) -> list[TensorInfo]:
    """Describe tensors, parameters before buffers.

    Buffers are batch norm's running statistics, whole numbers, and those named as such. The module's class is
    inferred from the weight's number of axes, and empty where that does not tell.
    """
    shapes = {tensor.name: tensor.shape for tensor in found}
    tensors = [_describe(tensor, shapes, buffers) for tensor in found]
    return sorted(tensors, key=lambda tensor: tensor.role != "parameter")  # stable


def _describe(tensor: Described, shapes: dict[str, tuple[int, ...]], buffers: tuple[str, ...]) -> TensorInfo:
    layer, _, leaf = tensor.name.rpartition(".")
    buffer = tensor.name in buffers or leaf in _RUNNING or "float" not in tensor.dtype
    weight = shapes.get(f"{layer}.weight" if layer else "weight", ())
    return TensorInfo(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        layer=layer or ROOT_LAYER,
        kind="buffer" if buffer else _kind(leaf, len(weight)),
        module=_MODULES.get(len(weight), ""),
        role="buffer" if buffer else "parameter",
        trainable=not buffer,
    )


def _kind(leaf: str, axes: int) -> str:
    """Say what a parameter is to its layer; a weight with one axis is that of a normalisation."""
    role = "weight" if "weight" in leaf else "bias" if "bias" in leaf else "other"
    return f"norm_{role}" if axes == 1 and role != "other" else role


def natural(text: str) -> list[tuple[bool, int, str]]:
    """Sort key by which 2 comes before 10."""
    return [
        (part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"([0-9]+)", text) if part
    ]


def model_order(name: str) -> tuple[object, ...]:
    """Sort key for names without an order of their own: layers in natural order, weight before bias before others."""
    layer, _, leaf = name.rpartition(".")
    ranks = {"weight": 0, "bias": 1}
    return natural(layer), ranks.get(leaf, 2), natural(leaf)
