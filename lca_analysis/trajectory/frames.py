"""Frames: the unit that is written at once, checked by itself, and counts only with its commit mark.

A frame is a prefix (magic, two lengths, checksums of the header and of the prefix), a MessagePack header, a payload,
and a commit mark (checksum of all before it, and a magic). Lengths have a checksum of their own, so that a damaged
length is told from a frame that was being written when the process died; the header has one, so that it can be
trusted without reading the payload.
"""

import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec
import numpy as np

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.presets import BlockHeader
from lca_analysis.trajectory.scratch import Scratch

KEY, DELTA, END = "key", "delta", "end"
_LENGTHS = struct.Struct("<4sIQI")
_PREFIX = struct.Struct("<4sIQII")
_COMMIT = struct.Struct("<I4s")
_MAGIC, _DONE = b"LCAF", b"DONE"
_KEPT = 2**20  # bytes of a frame whose memory is used again
Part = bytes | bytearray | memoryview


class FrameHeader(msgspec.Struct, array_like=True):
    """What a frame says of itself.

    `layout` (keyframes only) repeats the manifest's layout checksum; `previous` (keyframes only) is the iteration of
    the last point before, None at the first of the run; `hyperparameters` is None when they are those of the frame
    before; `blocks` describe the payload, one entry per block of the run. An end mark has the iteration of the last
    point.
    """

    kind: str
    iteration: int
    layout: int | None = None
    previous: int | None = None
    hyperparameters: list[dict[str, Any]] | None = None
    scalars: dict[str, float] = {}
    blocks: list[BlockHeader] = []


@dataclass(frozen=True)
class FrameEntry:
    """Where a frame lies in its file: offset of the prefix, lengths of header and payload in bytes."""

    offset: int
    header_length: int
    payload_length: int
    header_checksum: int

    @property
    def end(self) -> int:
        """Offset of the first byte behind the frame."""
        return self.offset + self.length

    @property
    def length(self) -> int:
        """Bytes of the whole frame."""
        return _PREFIX.size + self.header_length + self.payload_length + _COMMIT.size


def pack_frame(header: FrameHeader, payload: Iterable[Part], size: int) -> Iterator[Part]:
    """Give the parts of a frame, from its prefix to its commit mark.

    Parameters
    ----------
    header : FrameHeader
        What the frame says of itself.
    payload : iterable of bytes
        Its streams.
    size : int
        Bytes of the payload.
    """
    encoded = msgspec.msgpack.encode(header)
    lengths = _LENGTHS.pack(_MAGIC, len(encoded), size, zlib.crc32(encoded))
    checksum = 0
    for part in itertools.chain([lengths + struct.pack("<I", zlib.crc32(lengths)) + encoded], payload):
        checksum = zlib.crc32(part, checksum)
        yield part
    yield _COMMIT.pack(checksum, _DONE)


def find_frame(file: BinaryIO, offset: int, size: int) -> FrameEntry | None:
    """Find the frame at an offset of a file of `size` bytes; None when it was not written to its end.

    A power failure can leave a file that has grown and holds only zeros there: that was not written either.

    Raises
    ------
    CorruptError
        The bytes there are no prefix of a frame.
    """
    if offset + _PREFIX.size > size:
        return None
    file.seek(offset)
    prefix = file.read(_PREFIX.size)
    if not any(prefix) and not any(file.read()):
        return None
    magic, header_length, payload_length, header_checksum, checksum = _PREFIX.unpack(prefix)
    if magic != _MAGIC or checksum != zlib.crc32(prefix[: _LENGTHS.size]):
        raise CorruptError(f"damaged frame prefix at byte {offset}")
    entry = FrameEntry(offset, header_length, payload_length, header_checksum)
    return entry if entry.end <= size else None


def read_header(file: BinaryIO, entry: FrameEntry) -> FrameHeader:
    """Read, check and decode a frame's header without its payload; CorruptError when it is damaged."""
    file.seek(entry.offset + _PREFIX.size)
    return _decode_header(file.read(entry.header_length), entry)


def read_frame(file: BinaryIO, entry: FrameEntry, scratch: Scratch | None = None) -> tuple[FrameHeader, memoryview]:
    """Read a frame, check its commit mark, and give header and payload.

    With `scratch` the payload of a frame that is not large lasts until the next one is read.

    Raises
    ------
    CorruptError
        The checksum or the mark is wrong.
    """
    file.seek(entry.offset)
    if scratch is None or entry.length > _KEPT:
        data = memoryview(file.read(entry.length))
    else:
        data = scratch.array("frame", entry.length, np.dtype(np.uint8)).data
        data = data[: _fill(file, data)]
    if len(data) != entry.length:
        raise CorruptError(f"the file ends within the frame at byte {entry.offset}")
    body = data[: -_COMMIT.size]
    checksum, mark = _COMMIT.unpack(data[-_COMMIT.size :])
    if mark != _DONE or checksum != zlib.crc32(body):
        raise CorruptError(f"wrong checksum of the frame at byte {entry.offset}")
    start = _PREFIX.size + entry.header_length
    return _decode_header(bytes(body[_PREFIX.size : start]), entry), body[start:]


def _fill(file: BinaryIO, data: memoryview) -> int:
    """Read into memory; how many bytes there were."""
    filled = 0
    while filled < len(data) and (read := file.readinto(data[filled:])):  # type: ignore[attr-defined]
        filled += read
    return filled


def _decode_header(data: bytes, entry: FrameEntry) -> FrameHeader:
    """Check and decode the MessagePack header of a frame."""
    offset = entry.offset
    if zlib.crc32(data) != entry.header_checksum:
        raise CorruptError(f"wrong checksum of the header of the frame at byte {offset}")
    try:
        header = msgspec.msgpack.decode(data, type=FrameHeader)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise CorruptError(f"damaged frame header at byte {offset}: {error}") from error
    if header.kind not in (KEY, DELTA, END):
        raise CorruptError(f"the frame at byte {offset} is of the unknown kind {header.kind!r}")
    return header
