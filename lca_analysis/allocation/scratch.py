"""Bytes that are gone through once a step: in memory when they are few, else in a file without a name."""

import tempfile
import weakref
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

IN_MEMORY = 2**24  # bytes up to which they are kept in memory

Bytes = NDArray[np.uint8]


class Scratch:
    """Zeros at first, read and written in pieces.

    Parameters
    ----------
    size : int
        Bytes.
    folder : Path, optional
        Where the file is made, if there are many; None keeps them in memory.
    """

    def __init__(self, size: int, folder: Path | None) -> None:
        self._memory: Bytes | None = None
        if folder is None or size <= IN_MEMORY:
            self._memory = np.zeros(size, np.uint8)
            return
        # Unbuffered: what has been written is memory of the system, which it takes back when it is wanted elsewhere.
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._file.truncate(size)
        self._piece = np.empty(0, np.uint8)

    @property
    def is_in_memory(self) -> bool:
        """Whether what `read` gives is the memory itself, at any time."""
        return self._memory is not None

    def read(self, start: int, size: int) -> Bytes:
        """Give a piece, which may be changed, and is then written back; it is valid until the next is read."""
        if self._memory is not None:
            return self._memory[start : start + size]
        if len(self._piece) < size:
            self._piece = np.empty(size, np.uint8)
        piece = self._piece[:size]
        self._file.seek(start)
        view, taken = piece.data, 0
        while taken < size:
            taken += self._file.readinto(view[taken:]) or 0
        return piece

    def write(self, start: int, piece: Bytes) -> None:
        """Put a piece, as `read` gave it, back."""
        if self._memory is not None:
            if not np.shares_memory(piece, self._memory):
                self._memory[start : start + len(piece)] = piece
            return
        self._file.seek(start)
        view, taken = piece.data, 0
        while taken < len(piece):
            taken += self._file.write(view[taken:]) or 0
