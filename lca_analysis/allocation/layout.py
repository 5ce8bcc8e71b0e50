"""Where each tensor lies in the flat parameter vector, and what its units are."""

from dataclasses import dataclass

from lca_analysis.trajectory import TensorInfo

# Axis of the neurons or output channels in a weight, by the class of its module.
_UNIT_AXIS = {
    "Linear": 0,
    "Conv1d": 0,
    "Conv2d": 0,
    "Conv3d": 0,
    "Embedding": 0,
}
_NORM_KINDS = ("norm_weight", "norm_bias")


@dataclass(frozen=True)
class Place:
    """A tensor's stretch of the flat vector.

    Attributes
    ----------
    tensor : TensorInfo
        The tensor.
    start, stop : int
        Its stretch, in C order.
    """

    tensor: TensorInfo
    start: int
    stop: int

    @property
    def slice(self) -> slice:
        """Its stretch as a slice."""
        return slice(self.start, self.stop)

    @property
    def unit_axis(self) -> int | None:
        """Axis whose entries are the layer's units (neurons, channels); None when it has none."""
        if not self.tensor.shape or not self.tensor.size:
            return None
        if self.tensor.kind in _NORM_KINDS:
            return 0 if len(self.tensor.shape) == 1 else None
        if self.tensor.module not in _UNIT_AXIS:
            return None
        return 0 if self.tensor.kind == "bias" else _UNIT_AXIS[self.tensor.module]


@dataclass(frozen=True)
class Layout:
    """The flat parameter vector: every parameter in the run's order, each in C order."""

    places: tuple[Place, ...]

    @property
    def size(self) -> int:
        """Number of parameters K."""
        return self.places[-1].stop if self.places else 0

    @property
    def layers(self) -> list[str]:
        """Layers in the order of their first tensor."""
        return list(dict.fromkeys(place.tensor.layer for place in self.places))

    def of_layer(self, layer: str) -> list[Place]:
        """List the tensors of a layer."""
        return [place for place in self.places if place.tensor.layer == layer]

    def units(self, layer: str) -> int:
        """Number of units of a layer; 0 when it has none that all its tensors share."""
        counts = {
            0 if place.unit_axis is None else place.tensor.shape[place.unit_axis] for place in self.of_layer(layer)
        }
        return counts.pop() if len(counts) == 1 else 0


def lay_out_parameters(tensors: list[TensorInfo]) -> Layout:
    """Place tensors one after the other."""
    places, start = [], 0
    for tensor in tensors:
        places.append(Place(tensor, start, start + tensor.size))
        start += tensor.size
    return Layout(tuple(places))
