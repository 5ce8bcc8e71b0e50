"""Reading the weights file of Lan et al. (2019): one row of HDF5 per iteration."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import CorruptError, FormatError, MissingDependencyError, NotFoundError

BLOCK_BYTES = 2**27  # of rows read at once
_DATASET = "all_weights"


class WeightsFile:
    """An open weights file; use it as a context manager.

    Attributes
    ----------
    rows : int
        Points that were written; rows of zeros at the end never were.
    unwritten : int
        Rows of zeros at the end.
    names : list of str
        Of the variables, as in the file.
    shapes : list of tuple of int
        Of the variables, as they are stored.

    Raises
    ------
    NotFoundError
        There is no such file.
    FormatError
        It is not HDF5, or not such a file.
    MissingDependencyError
        h5py is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _open(path)
        try:
            self._data = self._find_dataset()
            self.names = _texts(self._attribute("var_names"))
            self.shapes = [tuple(map(int, re.findall(r"\d+", text))) for text in _texts(self._attribute("var_shapes"))]
            self._check_variables()
            self._block = self._rows_at_once()
            self.rows = self._count_written()
        except BaseException:
            self._file.close()
            raise
        self.unwritten = self._data.shape[0] - self.rows

    def __enter__(self) -> "WeightsFile":
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()

    def points(self) -> Iterator[NDArray[Any]]:
        """Read the written rows one by one, decompressing each chunk of the file once."""
        for start in range(0, self.rows, self._block):
            yield from self._read(start, min(self.rows, start + self._block))

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        try:
            return self._data[start:stop]
        except OSError as error:
            raise CorruptError(f"{self._path}: rows {start} to {stop - 1} cannot be read: {error}") from error

    def _find_dataset(self) -> Any:
        """Find the weights; data outside this very file are refused."""
        import h5py

        link = self._file.get(_DATASET, getlink=True)
        data = self._file[_DATASET] if isinstance(link, h5py.HardLink) else None
        if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
            raise FormatError(f"{self._path} has no dataset {_DATASET!r} of its own: it is no weights file")
        if data.ndim != 2 or data.dtype.kind != "f" or data.dtype.itemsize not in (2, 4, 8):
            raise FormatError(f"{self._path}: {_DATASET} must be points × parameters of floats, not {data}")
        return data

    def _attribute(self, name: str) -> Any:
        for owner in (self._file, self._data):
            if name in owner.attrs:
                return owner.attrs[name]
        raise FormatError(f"{self._path} has no attribute {name!r}: it is no weights file")

    def _check_variables(self) -> None:
        sizes = sum(int(np.prod(shape, dtype=object)) for shape in self.shapes)
        if len(self.names) != len(self.shapes) or len(set(self.names)) != len(self.names):
            raise FormatError(f"{self._path}: {len(self.names)} var_names, {len(self.shapes)} var_shapes, or a repeat")
        if sizes != self._data.shape[1]:
            raise FormatError(
                f"{self._path}: the shapes have {sizes} parameters together, but a row has {self._data.shape[1]}"
            )

    def _rows_at_once(self) -> int:
        """As many rows as share chunks, but not more than BLOCK_BYTES (and at least one)."""
        row = self._data.shape[1] * self._data.dtype.itemsize
        together = self._data.chunks[0] if self._data.chunks else 64
        return max(1, min(together, BLOCK_BYTES // max(1, row)))

    def _count_written(self) -> int:
        """Count the rows up to the last one that is not all zeros."""
        stop: int = self._data.shape[0]
        while stop:
            start = (stop - 1) // self._block * self._block
            written = np.flatnonzero(self._read(start, stop).any(axis=1))
            if written.size:
                return start + int(written[-1]) + 1
            stop = start
        raise FormatError(f"{self._path}: {_DATASET} holds no written row")


def _open(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError(f"{path.name} needs the package h5py: pip install 'lca-analysis[hdf5]'") from error
    if not path.exists():
        raise NotFoundError(f"{path} does not exist; name an HDF5 file of weights")
    if path.is_dir():
        raise FormatError(f"{path} is a folder; name an HDF5 file of weights")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise FormatError(f"{path} is no HDF5 file, or a damaged one: {error}") from error


def _texts(value: Any) -> list[str]:
    """Read a list of words: an array of them, or one text with semicolons."""
    parts = value.reshape(-1).tolist() if isinstance(value, np.ndarray) else [value]
    words = [part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in parts]
    return words[0].split(";") if len(words) == 1 else words
