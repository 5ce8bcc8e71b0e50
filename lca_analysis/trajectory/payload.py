"""The payload of a frame between its encoding and the disk."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from lca_analysis.trajectory.entropy import Stream

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
        self._waiting = bytearray()
        self._file: BinaryIO | None = None

    def add(self, streams: Iterable[Stream]) -> None:
        """Append copies of streams; OSError when the disk refuses."""
        for stream in streams:
            self.size += len(stream)
            self._waiting += stream
        if len(self._waiting) > _KEPT:
            self._move()

    def __iter__(self) -> Iterator[bytes | bytearray]:
        """Give the bytes in order, in parts of about a MiB at most where they lie in the file."""
        if self._file is not None:
            self._file.seek(0)
            while chunk := self._file.read(_CHUNK):
                yield chunk
        yield self._waiting

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            self._file.close()

    def _move(self) -> None:
        """Move what is in memory to the file."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        write_all(self._file, self._waiting)
        self._waiting = bytearray()


def write_all(file: BinaryIO, data: bytes | bytearray) -> None:
    """Write bytes to an unbuffered file, which may take fewer than it is given."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
