"""The payload of a frame between its encoding and the disk."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_KEPT = 2**20  # bytes that stay in memory
_CHUNK = 2**20


class Payload:
    """Collects the compressed streams of a frame, whose header, with their lengths, comes before them in the file.

    What is more than a MiB waits in a file without a name, in the folder of the run: the keyframe of a large model
    is almost as large as the model.

    Attributes
    ----------
    size : int
        Bytes collected.
    """

    def __init__(self, folder: Path) -> None:
        self.size = 0
        self._folder = folder
        self._parts: list[bytes] = []
        self._waiting = 0
        self._file: BinaryIO | None = None

    def add(self, parts: list[bytes]) -> None:
        """Append streams; OSError when the disk refuses."""
        length = sum(map(len, parts))
        self.size += length
        self._waiting += length
        self._parts += parts
        if self._waiting > _KEPT:
            self._move()

    def __iter__(self) -> Iterator[bytes]:
        """Give the bytes in order, in parts of about a MiB at most where they lie in the file."""
        if self._file is not None:
            self._file.seek(0)
            while chunk := self._file.read(_CHUNK):
                yield chunk
        yield from self._parts

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            self._file.close()

    def _move(self) -> None:
        """Move what is in memory to the file."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        for part in self._parts:
            write_all(self._file, part)
        self._parts, self._waiting = [], 0


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write bytes to an unbuffered file, which may take fewer than it is given."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
