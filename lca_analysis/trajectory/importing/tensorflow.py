"""From TensorFlow's names, kernels and flattening to PyTorch's."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import MismatchError

_LEAVES = {
    "kernel": "weight",
    "weights": "weight",
    "gamma": "weight",
    "biases": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
FlattenShape = tuple[int, int, int]


@dataclass(frozen=True)
class Variable:
    """A variable of the file.

    Attributes
    ----------
    name : str
        As PyTorch would call it.
    shape : tuple of int
        As it is stored; kernels are stored input-first.
    flattened : tuple of 3 int, optional
        Height, width and channels of the feature map whose flattening is the input of this dense kernel.
    """

    name: str
    shape: tuple[int, ...]
    flattened: FlattenShape | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def torch_shape(self) -> tuple[int, ...]:
        """Shape in PyTorch's order of axes."""
        return (*self.shape[-1:], *self.shape[-2:-1], *self.shape[:-2])

    def to_torch(self, flat: NDArray[Any]) -> NDArray[Any]:
        """Turn the stored values into PyTorch's layout, in C order.

        Dense (in, out) becomes (out, in), convolutions (height, width, in, out) become (out, in, height, width). The
        inputs of a dense kernel behind a flattened feature map go from (height, width, channel) to (channel, height,
        width).
        """
        stored = flat.reshape(self.shape)
        if self.flattened is not None:
            stored = stored.reshape(*self.flattened, -1).transpose(2, 0, 1, 3).reshape(self.shape)
        axes = range(stored.ndim)
        return np.ascontiguousarray(stored.transpose(*axes[-1:], *axes[-2:-1], *axes[:-2]))


def torch_names(names: Sequence[str]) -> list[str]:
    """Translate names such as ``fc1/kernel:0`` to ``fc1.weight``; where two would be the same, all stay as they are."""
    translated = [_translate(name) for name in names]
    return translated if len(set(translated)) == len(names) else [_plain(name) for name in names]


def _plain(name: str) -> str:
    return re.sub(r":[0-9]+$", "", name).replace("/", ".")


def _translate(name: str) -> str:
    layer, dot, leaf = _plain(name).rpartition(".")
    return layer + dot + _LEAVES.get(leaf, leaf)


def make_variables(
    names: Sequence[str], shapes: Sequence[tuple[int, ...]], flatten_shape: FlattenShape | None
) -> tuple[list[Variable], list[str]]:
    """Make the variables, and say which dense kernel would need `flatten_shape` when it is not given.

    Raises
    ------
    MismatchError
        No dense kernel follows a convolution, or it has another number of inputs.
    """
    variables = [Variable(name, shape) for name, shape in zip(torch_names(names), shapes, strict=True)]
    place = _first_dense_after_convolution(variables)
    if flatten_shape is None:
        return variables, [] if place is None else _order_caution(variables, place)
    if place is None:
        raise MismatchError("flatten_shape is given, but no dense kernel follows a convolution in this file")
    dense = variables[place]
    if math.prod(flatten_shape) != dense.shape[0]:
        raise MismatchError(
            f"flatten_shape {flatten_shape} has {math.prod(flatten_shape)} numbers, but {dense.name}, the first dense "
            f"kernel after a convolution, has {dense.shape[0]} inputs"
        )
    variables[place] = Variable(dense.name, dense.shape, flatten_shape)
    return variables, []


def _first_dense_after_convolution(variables: list[Variable]) -> int | None:
    """Find the dense kernel whose inputs are a flattened feature map."""
    seen = False
    for place, variable in enumerate(variables):
        if seen and len(variable.shape) == 2:
            return place
        seen = seen or len(variable.shape) == 4
    return None


def _order_caution(variables: list[Variable], place: int) -> list[str]:
    """Warn when the inputs of a dense kernel are more than one number per channel."""
    dense = variables[place]
    channels = [variable.shape[-1] for variable in variables[:place] if len(variable.shape) == 4][-1]
    if dense.shape[0] == channels:
        return []
    return [
        f"the inputs of {dense.name} ({dense.shape[0]}) are a flattened feature map in the order height, width, "
        "channel; a PyTorch model flattens channel first: import again with flatten_shape=(height, width, "
        f"{channels}), --flatten-shape height,width,{channels}, unless your model flattens as TensorFlow does"
    ]
