"""Where each tensor lies in the flat parameter vector, and what its units are."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lca_analysis.allocation.stretches import Stretch, cut
from lca_analysis.allocation.unit_shapes import Units, find_units
from lca_analysis.trajectory import TensorInfo


@dataclass(frozen=True)
class Place:
    """A tensor's stretch of the flat vector.

    Attributes
    ----------
    tensor : TensorInfo
        The tensor.
    start, stop : int
        Its stretch, in C order.
    unit : Units, optional
        Which of the layer's units (neurons, channels) its entries belong to. None when it has none.
    """

    tensor: TensorInfo
    start: int
    stop: int
    unit: Units | None = None

    @property
    def slice(self) -> slice:
        """Its stretch as a slice."""
        return slice(self.start, self.stop)


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

    @cached_property
    def stops(self) -> NDArray[np.int64]:
        """Where each tensor ends in the flat vector, [tensors]."""
        return np.array([place.stop for place in self.places], np.int64)

    @cached_property
    def stretches(self) -> list[Stretch]:
        """All parameters in stretches, tensor by tensor."""
        return [
            stretch
            for number, place in enumerate(self.places)
            for stretch in cut(number, place.start, place.tensor.size, place.unit)
        ]

    def of_layer(self, layer: str) -> list[Place]:
        """List the tensors of a layer."""
        return [place for place in self.places if place.tensor.layer == layer]

    def units(self, layer: str) -> int:
        """Number of units of a layer; 0 when it has none that all its tensors share."""
        counts = {0 if place.unit is None else place.unit.total for place in self.of_layer(layer)}
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
        places.append(Place(tensor, start, start + tensor.size, find_units(tensor, owner)))
        start += tensor.size
    return Layout(tuple(places))
