"""Words split into symbols and low bits, symbols grouped by what their places had before: format version 4.

A symbol is about half an octave of a folded residual, the low bits say where in it. Low bits are as good as random and
are stored as they are; symbols are compressed by zstd, whose Huffman tables do nearly all of it, in groups: those of
places whose residuals have been about as large have a table of their own.
"""

import numpy as np

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.entropy import compress_segments, decompress_segments
from lca_analysis.trajectory.residuals import Spans, is_compiled, no_spans
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.state import BlockState
from lca_analysis.trajectory.words import WordFormat, Words

CONTEXTS = 128  # a symbol is less than twice the largest word's bits, and a context is a rounded mean of symbols
_DECAY = 3  # a new symbol has a weight of 2^-3 in its place's mean; the first one behind a keyframe all of it


class Symbols:
    """Codes and decodes the residuals of a block's words; both learn the same from them.

    Of each place it keeps the running mean of its symbols, in 256ths. A context is such a mean, rounded; a group is
    a range of contexts that have enough places.
    """

    def __init__(self, size: int, form: WordFormat, scratch: Scratch, encodes: bool) -> None:
        self._size = size
        self._scratch = scratch
        self._means = np.zeros(size, np.uint16)
        self._counts = np.zeros(CONTEXTS, np.uint32)
        self._groups = np.zeros(CONTEXTS, np.uint8)  # of each context, and of each group:
        self._starts = np.zeros(CONTEXTS, np.uint64)  # where its next symbol lies
        self._segments = np.zeros(2 * CONTEXTS, np.uint64)  # where it begins, and how many symbols it has
        self._prepare(form, encodes)
        self.forget()

    def forget(self) -> None:
        """Begin anew, as behind a keyframe: one context for all."""
        self._means.fill(0)
        self._counts.fill(0)
        self._counts[0] = self._size
        self._shift = 0

    def pack(self, folded: Words) -> list[bytes]:
        """Code folded residuals: a stream of low bits, and one of each group's symbols."""
        from lca_analysis.trajectory import symbol_kernels as kernels

        symbols, low = self._memory(folded)
        learnt = self._means, self._shift, self._counts, self._groups, self._starts
        groups, used = kernels.pack(folded, *learnt, self._segments, symbols, low)
        self._shift = _DECAY
        return [low[:used].tobytes(), *compress_segments(symbols, self._segments[: 2 * groups])]

    def fold_and_pack(self, state: BlockState, words: Words, spans: Spans, folded: Words) -> tuple[list[bytes], int]:
        """Fold the residuals of a point that follows the state, move on to it, and `pack`; gives the checksum too."""
        from lca_analysis.trajectory import symbol_kernels as kernels

        symbols, low = self._memory(folded)
        learnt = self._means, self._shift, self._counts, self._groups, self._starts, self._segments
        groups, used, checksum = kernels.fold_and_pack(
            words, state.words, state.before, *spans, folded, *learnt, symbols, low
        )
        self._shift = _DECAY
        state.advance()
        return [low[:used].tobytes(), *compress_segments(symbols, self._segments[: 2 * groups])], int(checksum)

    def unpack(self, streams: list[memoryview], folded: Words) -> None:
        """Undo `pack`; CorruptError for streams that cannot be those of these words."""
        from lca_analysis.trajectory import symbol_kernels as kernels

        groups = kernels.group(self._counts, self._groups, self._starts, self._segments)
        if len(streams) != groups + 1:
            raise CorruptError("the frame does not have as many streams as groups of symbols")
        symbols, low = self._memory(folded)
        decompress_segments(streams[1:], symbols, self._segments[: 2 * groups])
        needed = kernels.low_words(symbols, 16 * folded.itemsize)
        if needed < 0 or 8 * needed != len(streams[0]):
            raise CorruptError("the low bits of a block are not those of its symbols")
        low[:needed] = np.frombuffer(streams[0], "<u8")
        low[needed] = 0  # is looked at beside the last ones
        kernels.unpack(folded, self._means, self._shift, self._counts, self._groups, self._starts, symbols, low)
        self._shift = _DECAY

    def _prepare(self, form: WordFormat, encodes: bool) -> None:
        """Compile, or load, the kernels for one kind of word."""
        from lca_analysis.trajectory import symbol_kernels as kernels
        from lca_analysis.trajectory.compiled import first_call

        none: Words = np.empty(0, form.word)
        means, symbols, low = np.empty(0, np.uint16), np.empty(0, np.uint8), np.empty(2, np.uint64)
        learnt = means, 0, self._counts, self._groups, self._starts
        first_call(kernels.weighted_sum, none)
        if encodes:
            first_call(kernels.pack, none, *learnt, self._segments, symbols, low)
        else:
            first_call(kernels.unpack, none, *learnt, symbols, low)
            first_call(kernels.group, self._counts, self._groups, self._starts, self._segments)
            first_call(kernels.low_words, symbols, 0)
        if encodes and is_compiled(form):
            spans = no_spans(form)
            first_call(kernels.fold_and_pack, none, none, none, *spans, none, *learnt, self._segments, symbols, low)

    def _memory(self, folded: Words) -> tuple[Words, Words]:
        """Memory for the symbols of a block, and for the most low bits that it can have."""
        bits = 8 * folded.itemsize - 2
        low = self._scratch.array("low", self._size * bits // 64 + 2, np.dtype(np.uint64))
        return self._scratch.array("symbols", self._size, np.dtype(np.uint8)), low
