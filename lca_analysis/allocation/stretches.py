"""The flat vector in stretches: what is made of one stays in the cache, and takes no memory in proportion to K."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.allocation import kernels
from lca_analysis.allocation.unit_shapes import Units

STRETCH = 2**15  # parameters


@dataclass(frozen=True)
class Stretch:
    """Consecutive parameters of one tensor.

    Attributes
    ----------
    number : int
        Of the tensor.
    place : slice
        In the flat vector.
    unit : Units, optional
        Of the tensor.
    first_row, rows : int
        With units: which of their rows (of ``rest`` entries each) the stretch holds; a long row may be cut.
    """

    number: int
    place: slice
    unit: Units | None = None
    first_row: int = 0
    rows: int = 1

    @property
    def size(self) -> int:
        """Number of parameters."""
        return int(self.place.stop - self.place.start)

    def add_unit_sums(self, values: NDArray[Any], total: NDArray[np.float64]) -> None:
        """Sum values by unit, in float64, and add them to the layer's sums."""
        if self.unit is not None:
            kernels.add_by_row(values, self.size // self.rows, self._units, total)

    @cached_property
    def _units(self) -> NDArray[np.intp]:
        """The units of its rows."""
        return np.empty(0, np.intp) if self.unit is None else self.unit.of_rows(self.first_row, self.rows)


def cut(number: int, start: int, size: int, unit: Units | None) -> Iterator[Stretch]:
    """Cut a tensor into stretches; with units, each has whole rows of them, or a part of one that is too long.

    Parameters
    ----------
    number : int
        Of the tensor.
    start, size : int
        Its stretch of the flat vector.
    unit : Units, optional
        Of the tensor.

    Yields
    ------
    Stretch
        In order.
    """
    row = size if unit is None else unit.shape[3]
    if row > STRETCH:
        for begin in range(0, size, row):
            for place in slices(start + begin, start + begin + row):
                yield Stretch(number, place, unit, begin // row)
        return
    for place in slices(start, start + size, STRETCH // max(row, 1) * row):
        yield Stretch(number, place, unit, (place.start - start) // row, (place.stop - place.start) // row)


def slices(start: int, stop: int, length: int | None = None) -> Iterable[slice]:
    """Cut a stretch of any vector into slices of at most so many elements, by default STRETCH."""
    length = length or STRETCH
    return (slice(begin, min(begin + length, stop)) for begin in range(start, stop, length))
