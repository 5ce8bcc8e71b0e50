"""Arrays of unsigned words to bytes and back, by pcodec; segments of bytes by zstd."""

import threading
from functools import cache
from typing import Any

import numpy as np
import pcodec
import zstandard
from numpy.typing import NDArray
from pcodec import standalone

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.words import Words

Stream = bytes | memoryview


@cache
def _config(level: int) -> pcodec.ChunkConfig:
    """Settings of a level; the words come in no order that a delta could use, so none is tried."""
    return pcodec.ChunkConfig(
        compression_level=level,
        mode_spec=pcodec.ModeSpec.classic(),
        delta_spec=pcodec.DeltaSpec.no_op(),
    )


def compress(words: Words, level: int) -> bytes:
    """Compress flat words; none at all become no bytes."""
    return standalone.simple_compress(words, _config(level)) if words.size else b""


def decompress_into(data: bytes, words: Words) -> None:
    """Fill `words` from a stream that holds exactly as many; CorruptError when it does not."""
    if not words.size:
        return
    try:
        progress = standalone.simple_decompress_into(data, words)
    except BaseException as error:  # the decoder's panics are no Exceptions
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        raise CorruptError(f"a stream does not decompress: {error}") from error
    if progress.n_processed != words.size or not progress.finished:
        raise CorruptError("a stream does not hold as many numbers as its block")


def decompress_parts(streams: list[memoryview], words: Words, ends: list[int]) -> None:
    """Decompress one stream after the other into consecutive parts of `words`."""
    if len(streams) != len(ends):
        raise CorruptError("the frame does not have as many streams as classes")
    start = 0
    for stream, end in zip(streams, ends, strict=True):
        decompress_into(bytes(stream), words[start:end])
        start = end


@cache
def _packer() -> zstandard.ZstdCompressor:
    """Compress by Huffman codes and the finding of long repetitions with the least work.

    (zstd's negative levels work less, but leave out the Huffman codes.)
    """
    settings = zstandard.ZstdCompressionParameters(
        strategy=zstandard.STRATEGY_FAST,
        window_log=17,
        hash_log=6,
        chain_log=6,
        search_log=1,
        min_match=7,
        target_length=0,
        write_content_size=False,
    )
    return zstandard.ZstdCompressor(compression_params=settings)


def compress_segments(data: NDArray[np.uint8], segments: NDArray[np.uint64]) -> list[Stream]:
    """Compress parts of an array, each by itself; `segments` has the offset and the length of each."""
    packed: Any = _packer().multi_compress_to_buffer(zstandard.BufferWithSegments(data.data, segments.data), threads=1)
    return [memoryview(part) for part in packed]


class _Unpacker(threading.local):
    """Each thread's own decompressor: it lets other threads run while it works, and must not be used by two at once."""

    def __init__(self) -> None:
        self.decompress = zstandard.ZstdDecompressor().decompress


_unpacker = _Unpacker()


def decompress_segments(streams: list[memoryview], lengths: list[int]) -> NDArray[np.uint8]:
    """Undo `compress_segments`, one behind the other, read-only; CorruptError where a stream is not of its length."""
    parts = [_decompress(stream, length) for stream, length in zip(streams, lengths, strict=True)]
    return np.frombuffer(parts[0] if len(parts) == 1 else b"".join(parts), np.uint8)


def _decompress(stream: memoryview, length: int) -> bytes:
    """Undo the compression of one part; what a stream says of its length is not believed, as it may ask for memory."""
    try:
        said = zstandard.frame_content_size(stream)
        part = _unpacker.decompress(stream, max_output_size=length) if said in (-1, length) else b""
    except zstandard.ZstdError as error:
        raise CorruptError(f"a stream does not decompress: {error}") from error
    if len(part) != length:
        raise CorruptError("a stream does not have as many symbols as its group")
    return part
