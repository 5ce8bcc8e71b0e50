"""Arrays of unsigned words to bytes and back, by pcodec; segments of bytes by zstd."""

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


def decompress_segments(streams: list[memoryview], lengths: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Undo `compress_segments`, one behind the other; CorruptError where a stream is not of its length."""
    packed = list[bytes | bytearray | memoryview](streams)
    try:
        parts: Any = zstandard.ZstdDecompressor().multi_decompress_to_buffer(packed, lengths.tobytes(), threads=1)
    except (zstandard.ZstdError, ValueError) as error:
        raise CorruptError(f"a stream does not decompress: {error}") from error
    data = np.frombuffer(bytearray().join(parts), np.uint8)
    if [len(part) for part in parts] != lengths.tolist():
        raise CorruptError("a stream does not have as many symbols as its group")
    return data
