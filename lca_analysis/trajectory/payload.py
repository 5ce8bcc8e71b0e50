"""The payload of a frame between its encoding and the disk."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from lca_analysis.trajectory.entropy import Stream

_KEPT = 2**20  # bytes that stay in memory
_CHUNK = 2**20
_MOST = 512  # parts that the operating system is given at once; POSIX systems take 1024


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
        self._lent: list[Stream] = []
        self._file: BinaryIO | None = None

    def add(self, streams: Iterable[Stream]) -> None:
        """Append copies of streams; OSError when the disk refuses."""
        for stream in streams:
            self.size += len(stream)
            self._waiting += stream
        if len(self._waiting) > _KEPT:
            self._move()

    def lend(self, streams: Sequence[Stream]) -> None:
        """Append streams behind all others, which last until they are written; the small ones of groups are copied."""
        first, rest = streams[0], b"".join(streams[1:])
        self.size += len(first) + len(rest)
        self._lent = [first, rest]

    def __iter__(self) -> Iterator[Stream | bytearray]:
        """Give the bytes in order, in parts of about a MiB at most where they lie in the file."""
        if self._file is not None:
            self._file.seek(0)
            while chunk := self._file.read(_CHUNK):
                yield chunk
        yield self._waiting
        yield from self._lent

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            self._file.close()

    def _move(self) -> None:
        """Move what is in memory to the file."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        write_all(self._file, [self._waiting])
        self._waiting = bytearray()


def write_all(file: BinaryIO, parts: Sequence[Stream | bytearray]) -> None:
    """Write parts to an unbuffered file, which may take fewer bytes than it is given; not copied where it can be so."""
    together = getattr(os, "writev", None)
    waiting = [memoryview(part) for part in (parts if together else [b"".join(parts)]) if len(part)]
    while waiting:
        taken = together(file.fileno(), waiting[:_MOST]) if together else file.write(waiting[0])
        while waiting and taken >= len(waiting[0]):
            taken -= len(waiting.pop(0))
        if taken:
            waiting[0] = waiting[0][taken:]
