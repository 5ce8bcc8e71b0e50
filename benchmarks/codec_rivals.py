"""What one would store a weight trajectory with instead: the codecs that the package's is measured against."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pcodec
import zstandard
from numpy.typing import NDArray
from pcodec import standalone

Flat = NDArray[np.float32]
Words = NDArray[np.uint32]


class WeightsFile:
    """The weights file of the first LCA study (Lan et al. 2019): float64, HDF5's gzip, h5py's chunks.

    Their training loop writes it row by row; here whole rows of chunks are written at once, which takes less time
    and leaves no holes.
    """

    name = "float64 in gzip HDF5 (Lan et al.)"

    def __init__(self, path: Path) -> None:
        self._path = path

    def encode(self, points: list[Flat]) -> int:
        """Write a trajectory; gives the bytes of the file."""
        shape = len(points), len(points[0])
        with h5py.File(self._path, "w") as file:
            matrix = file.create_dataset("all_weights", shape, dtype="f8", compression="gzip")
            height = matrix.chunks[0]
            for start in range(0, len(points), height):
                matrix[start : start + height] = np.asarray(points[start : start + height], np.float64)
        return self._path.stat().st_size

    def decode(self) -> Iterator[Flat]:
        """Read it back."""
        with h5py.File(self._path) as file:
            matrix = file["all_weights"]
            height = matrix.chunks[0]
            for start in range(0, len(matrix), height):
                yield from matrix[start : start + height].astype(np.float32)


class Difference:
    """Zigzag integer difference to the point before, packed by a general codec; the first point against zero."""

    name = ""

    def __init__(self) -> None:
        self._streams: list[bytes] = []

    def encode(self, points: list[Flat]) -> int:
        """Code a trajectory; gives the bytes of its streams."""
        before: Words = np.zeros(len(points[0]), np.uint32)
        self._streams = []
        for point in points:
            now = ordered(point)
            change = (now - before).view(np.int32)
            self._streams.append(self._pack(((change << 1) ^ (change >> 31)).view(np.uint32)))
            before = now
        return sum(map(len, self._streams))

    def decode(self) -> Iterator[Flat]:
        """Undo `encode`."""
        now: Words = np.zeros((), np.uint32)
        for stream in self._streams:
            folded = self._unpack(stream)
            now = now + ((folded >> 1) ^ (np.uint32(0) - (folded & 1)))
            yield disordered(now)

    def _pack(self, folded: Words) -> bytes:
        raise NotImplementedError

    def _unpack(self, data: bytes) -> Words:
        raise NotImplementedError


class DifferenceZstd(Difference):
    """Integer difference, bytes split by significance, zstd 3."""

    name = "integer difference, byte split, zstd 3"

    def _pack(self, folded: Words) -> bytes:
        return zstandard.compress(folded.view(np.uint8).reshape(-1, 4).T.tobytes(), 3)

    def _unpack(self, data: bytes) -> Words:
        planes = np.frombuffer(zstandard.decompress(data), np.uint8).reshape(4, -1)
        return np.ascontiguousarray(planes.T).view(np.uint32).reshape(-1)


class DifferencePcodec(Difference):
    """Integer difference, pcodec 8."""

    name = "integer difference, pcodec 8"

    def _pack(self, folded: Words) -> bytes:
        return standalone.simple_compress(folded, pcodec.ChunkConfig(compression_level=8))

    def _unpack(self, data: bytes) -> Words:
        return standalone.simple_decompress(data)


def ordered(point: Flat) -> Words:
    """Float bits as integers in the order of the numbers."""
    words = point.view(np.uint32)
    return words ^ ((words.view(np.int32) >> 31).view(np.uint32) | np.uint32(1 << 31))


def disordered(words: Words) -> Flat:
    """Undo `ordered`."""
    return (words ^ (((words >> 31) - np.uint32(1)) | np.uint32(1 << 31))).view(np.float32)
