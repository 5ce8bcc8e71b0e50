"""Where each tensor lies in the flat parameter vector, and what its units are."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from lca_analysis.trajectory import TensorInfo

_Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
_WITH_UNITS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)
UnitShape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Place:
    """A tensor's stretch of the flat vector.

    Attributes
    ----------
    tensor : TensorInfo
        The tensor.
    start, stop : int
        Its stretch, in C order.
    unit_shape : tuple of 4 int, optional
        Its shape as groups × inputs × units of a group × rest: summed over inputs and rest, what is left are the
        layer's units (neurons, channels). None when it has none.
    """

    tensor: TensorInfo
    start: int
    stop: int
    unit_shape: UnitShape | None = None

    @property
    def slice(self) -> slice:
        """Its stretch as a slice."""
        return slice(self.start, self.stop)

    @property
    def units(self) -> int:
        """Number of units; 0 when it has none."""
        return 0 if self.unit_shape is None else self.unit_shape[0] * self.unit_shape[2]

    def unit_sums(self, values: torch.Tensor) -> torch.Tensor:
        """Sum the tensor's part of a flat vector by unit, in float64."""
        shaped = values[self.slice].view(self.unit_shape or (1, 1, 0, 0))
        return shaped.sum((1, 3), dtype=torch.float64).reshape(-1)


@dataclass(frozen=True)
class Layout:
    """The flat parameter vector: every parameter in the run's order, each in C order."""

    places: tuple[Place, ...]

    @property
    def size(self) -> int:
        """Number of parameters K."""
        return self.places[-1].stop if self.places else 0

    @cached_property
    def layers(self) -> list[str]:
        """Layers in the order of their first tensor."""
        return list(dict.fromkeys(place.tensor.layer for place in self.places))

    @cached_property
    def layer_numbers(self) -> list[int]:
        """For each tensor, the place of its layer in `layers`."""
        return [self.layers.index(place.tensor.layer) for place in self.places]

    def of_layer(self, layer: str) -> list[Place]:
        """List the tensors of a layer."""
        return [place for place in self.places if place.tensor.layer == layer]

    def units(self, layer: str) -> int:
        """Number of units of a layer; 0 when it has none that all its tensors share."""
        counts = {place.units for place in self.of_layer(layer)}
        return counts.pop() if len(counts) == 1 else 0


def lay_out_parameters(tensors: list[TensorInfo], owners: list[nn.Module]) -> Layout:
    """Place tensors one after the other.

    Parameters
    ----------
    tensors : list of TensorInfo
        The run's parameters.
    owners : list of torch.nn.Module
        For each, the module of the problem's model that has it: its class says what the units are.

    Returns
    -------
    Layout
        Of the flat vector.
    """
    places, start = [], 0
    for tensor, owner in zip(tensors, owners, strict=True):
        places.append(Place(tensor, start, start + tensor.size, _unit_shape(tensor, owner)))
        start += tensor.size
    return Layout(tuple(places))


def _unit_shape(tensor: TensorInfo, owner: nn.Module) -> UnitShape | None:
    """Find the units of a tensor: its first axis, but in transposed convolutions the output channels."""
    if not tensor.size or not tensor.shape or tensor.name.rpartition(".")[2] not in ("weight", "bias"):
        return None
    if isinstance(owner, _Transposed) and len(tensor.shape) > 1:
        inputs, outputs = tensor.shape[0] // owner.groups, tensor.shape[1]
        return owner.groups, inputs, outputs, tensor.size // (owner.groups * inputs * outputs)
    if isinstance(owner, (*_WITH_UNITS, _Transposed)):
        return 1, 1, tensor.shape[0], tensor.size // tensor.shape[0]
    return None
