"""Arrays of unsigned words to bytes and back, by pcodec; with and without classes."""

from functools import cache
from typing import Any

import numpy as np
import pcodec
from numpy.typing import NDArray
from pcodec import standalone

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.words import Words

SMALLEST_CLASS = 2048  # part of the format; a stream has a fixed cost, so a smaller class joins the next


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


def class_bounds(counts: NDArray[Any]) -> list[int]:
    """Ends of the streams among words sorted by class: whole classes, of at least SMALLEST_CLASS words.

    The last stream takes what is left when the tail is too small for a stream of its own.
    """
    ends: list[int] = []
    start = end = 0
    for count in counts.tolist():
        end += count
        if end - start >= SMALLEST_CLASS:
            ends.append(end)
            start = end
    if ends and end > start:
        ends[-1] = end
    return ends or [end]


def sort_by_class(classes: NDArray[np.uint8], number: int) -> tuple[NDArray[np.intp], list[int]]:
    """Return a stable order of the words by class, and the ends of the streams in it."""
    order = np.argsort(classes, kind="stable")
    return order, class_bounds(np.bincount(classes, minlength=number))
