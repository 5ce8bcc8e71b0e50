"""Arrays of unsigned words to bytes and back, by pcodec."""

from functools import cache

import pcodec
from pcodec import standalone

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.words import Words


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
