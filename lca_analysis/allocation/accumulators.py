"""Sums over iterations per parameter, and histograms per layer: what grows with K, never with time."""

import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.allocation.histogram import WIDTH, add_to_histogram
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.parameter_sums import TOTAL, ParameterSums, bytes_of
from lca_analysis.allocation.scratch import Bytes, Scratch
from lca_analysis.allocation.step import StepStretch
from lca_analysis.allocation.stretches import Stretch
from lca_analysis.disk import appearing
from lca_analysis.errors import CorruptError

PIECE = 2**17  # rows of the `parameters` table that are written at once, about


class Accumulators:
    """Sums over a range of iterations; nothing at first.

    Parameters
    ----------
    layout : Layout
        Of the parameters.
    folder : Path, optional
        Where the sums by parameter are kept when they are many; None keeps them in memory.
    counts : dtype
        Type of their counts.

    Attributes
    ----------
    counts, sums : ndarray[layers, bins]
        Histogram of LCA by layer: how many values (int64), and their sum (float64).
    """

    def __init__(self, layout: Layout, folder: Path | None = None, counts: np.dtype[Any] = TOTAL) -> None:
        self._layout, self._type, self._bytes_each = layout, counts, bytes_of(counts)
        self._scratch = Scratch(layout.size * self._bytes_each, folder)
        # Those in memory are found at once.
        stretches = layout.stretches if self._scratch.is_in_memory else []
        self._views = {stretch.place.start: self.of(stretch) for stretch in stretches}
        bins = len(layout.layers), WIDTH
        self.counts, self.sums = np.zeros(bins, np.int64), np.zeros(bins)

    def add(self, part: StepStretch) -> None:
        """Take in a stretch of a step."""
        sums = self._views.get(part.stretch.place.start)
        if sums is not None:
            sums.add(part.moved, part.gradient, part.lca)
        else:
            start, data = self._bytes(part.stretch)
            self._sums(data).add(part.moved, part.gradient, part.lca)
            self._scratch.write(start, data)
        row = self._layout.layer_numbers[part.stretch.number]
        add_to_histogram(part.lca, self.counts[row], self.sums[row])

    def merge(self, later: "Accumulators") -> None:
        """Take in the sums of the range that follows."""
        self.counts += later.counts
        self.sums += later.sums
        for stretch in self._layout.stretches:
            start, data = self._bytes(stretch)
            self._sums(data).merge(later.of(stretch))
            self._scratch.write(start, data)

    def of(self, stretch: Stretch) -> ParameterSums:
        """Give the sums of a stretch, to be read until the next is asked for."""
        return self._sums(self._bytes(stretch)[1])

    def save(self, path: Path) -> None:
        """Write to a file, whole or not at all."""
        with appearing(path) as file:
            checksum = 0
            for data in chain(self._all_bytes(), self._histogram_bytes()):
                file.write(data.data)
                checksum = zlib.crc32(data.data, checksum)
            file.write(checksum.to_bytes(4, "little"))

    @classmethod
    def load(
        cls, path: Path, layout: Layout, folder: Path | None = None, counts: np.dtype[Any] = TOTAL
    ) -> "Accumulators":
        """Read from a file."""
        loaded = cls(layout, folder, counts)
        try:
            with path.open("rb") as file:
                checksum = 0
                for stretch in layout.stretches:
                    data = np.frombuffer(file.read(stretch.size * loaded._bytes_each), np.uint8)
                    loaded._scratch.write(stretch.place.start * loaded._bytes_each, data)
                    checksum = zlib.crc32(data.data, checksum)
                for data in loaded._histogram_bytes():
                    file.readinto(data.data)
                    checksum = zlib.crc32(data.data, checksum)
                if file.read() != checksum.to_bytes(4, "little"):
                    raise ValueError("its checksum is wrong")
        except (OSError, ValueError) as error:
            raise CorruptError(f"{path} is damaged: {error}; compute this run again with overwrite") from error
        return loaded

    def parameter_pieces(self) -> Iterator[dict[str, Any]]:
        """Give the rows of the `parameters` table, so many at once that their memory does not grow with K."""
        by_tensor: dict[int, list[Stretch]] = {number: [] for number in range(len(self._layout.places))}
        for stretch in self._layout.stretches:
            by_tensor[stretch.number].append(stretch)
        for number in sorted(by_tensor, key=lambda number: self._layout.places[number].tensor.name):
            for together in _batches(by_tensor[number]):
                yield self._rows(together)

    def _rows(self, together: list[Stretch]) -> dict[str, Any]:
        """Give the rows of a tensor's neighbouring stretches."""
        place = self._layout.places[together[0].number]
        rows = [self.of(stretch).columns() for stretch in together]
        columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        index = np.arange(together[0].place.start, together[-1].place.stop, dtype=np.int64) - place.start
        return {"tensor": place.tensor.name, "index": index, **columns}

    def _bytes(self, stretch: Stretch) -> tuple[int, Bytes]:
        """Give the place of a stretch's sums, and the sums, to be written back when they are changed."""
        start = stretch.place.start * self._bytes_each
        return start, self._scratch.read(start, stretch.size * self._bytes_each)

    def _sums(self, data: Bytes) -> ParameterSums:
        """See the bytes of a stretch as sums."""
        return ParameterSums.of(data, self._type)

    def _all_bytes(self) -> Iterator[Bytes]:
        """Give the sums by parameter."""
        return (self._bytes(stretch)[1] for stretch in self._layout.stretches)

    def _histogram_bytes(self) -> Iterator[NDArray[np.uint8]]:
        """Give the memory of the histogram."""
        return (array.reshape(-1).view(np.uint8) for array in (self.counts, self.sums))


def _batches(stretches: list[Stretch]) -> Iterator[list[Stretch]]:
    """Put neighbouring stretches together, up to PIECE parameters."""
    together: list[Stretch] = []
    for stretch in stretches:
        if together and stretch.place.stop - together[0].place.start > PIECE:
            yield together
            together = []
        together.append(stretch)
    if together:
        yield together
