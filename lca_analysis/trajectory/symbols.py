"""Words split into symbols and low bits, since format version 4.

A symbol is about half an octave of a folded residual, the low bits say where in it. Low bits are as good as random and
are stored as they are; symbols are compressed by zstd, whose Huffman tables do nearly all of it: in groups, so that
those of places whose residuals have been about as large have a table of their own, or, which is less work, all at once.
"""

from collections.abc import Sequence
from functools import cache
from itertools import islice
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.entropy import Stream, compress_segments, decompress_segments
from lca_analysis.trajectory.residuals import Spans, is_compiled, no_spans
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.state import BlockState
from lca_analysis.trajectory.words import WordFormat, Words

CONTEXTS = 128  # a symbol is less than twice the largest word's bits, and a context is a rounded mean of symbols
_Planned = tuple[Words, Words, Words, Words, Words]
_Work = tuple[Words, Words, Words]
LANES = 2  # parts of a block that kernels go through side by side
BEYOND = 16  # bytes that kernels may read behind low bits
LOT = 8  # points at most that are coded in one call


class Symbols:
    """Codes and decodes the residuals of a block's words; both learn the same from them.

    Of each place it keeps the running mean of its symbols, in 256ths. A context is such a mean, rounded; a group is
    a range of contexts that have enough places. Without groups nothing is kept.
    """

    def __init__(self, size: int, form: WordFormat, scratch: Scratch, encodes: bool, grouped: bool = True) -> None:
        self._size = size
        self._word = form.word
        self._scratch = scratch
        self._grouped = grouped
        self._means = np.zeros(0, np.uint16)  # as many as words, once there are groups
        self._counts = np.zeros((LANES, CONTEXTS), np.uint32)
        self._groups = np.zeros(CONTEXTS, np.uint8)  # of each context, and of each group:
        self._starts = np.zeros((LANES, CONTEXTS), np.uint64)  # where its next symbol of a lane lies
        self._segments = np.zeros(2 * CONTEXTS, np.uint64)  # where it begins, and how many symbols it has
        self._kernels = self._prepare(form, encodes)
        self._of_symbols = _of_symbols(form.word)
        self.forget()

    def forget(self) -> None:
        """Begin anew, as behind a keyframe: one context for all."""
        self._means.fill(0)
        self._young = True

    def pack(self, folded: Words) -> list[Stream]:
        """Code folded residuals: a stream of low bits, and one of each group's symbols."""
        planned, (placed, symbols, low) = self._memory(self._grouped)
        groups, used = self._kernels.pack(
            folded, self._grouped, self._means, self._young, *planned, placed, symbols, low
        )
        self._young = False
        return [low[: 8 * used].tobytes(), *compress_segments(symbols, self._segments[: 2 * groups])]

    def fold_and_pack(
        self, state: BlockState, lot: Sequence[Words], spans: Spans, limit: int, behind: int = 0
    ) -> list[tuple[list[Stream], int]]:
        """Fold points that follow the state, move on to them, and `pack`: streams and checksum of each.

        The streams of so many points before these stay as they are. It ends early behind a point whose low bits are
        more 64-bit words than the limit.
        """
        planned, (placed, symbols, low) = self._memory(self._grouped, behind + len(lot))
        segments = np.empty(2 * CONTEXTS * len(lot), np.uint64)
        found = np.empty((len(lot), 3), np.uint64)
        arrays = self._grouped, self._means, self._young, *planned[:-1], segments, placed
        padded = (*lot, *[lot[0]] * (LOT - len(lot)))
        rows = low.reshape(behind + len(lot), -1)[behind:]
        by_group = symbols[: len(lot) * self._size].reshape(len(lot), -1)
        state_and_spans = state.words, state.before, *spans
        arguments: list[Any] = [padded, len(lot), limit, *state_and_spans, *arrays, by_group, rows, found]
        done = self._kernels.fold_and_pack(*arguments)
        self._young = False
        for _ in range(done):
            state.advance()
        numbers = found[:done].tolist()
        packed = iter(compress_segments(symbols, segments[: 2 * sum(groups for groups, _, _ in numbers)]))
        return [
            ([row[: 8 * used].data, *islice(packed, groups)], checksum)
            for row, (groups, used, checksum) in zip(rows, numbers, strict=False)
        ]

    def unpack(self, streams: list[memoryview], grouped: bool, folded: Words) -> None:
        """Undo `pack`; CorruptError for streams that cannot be those of these words."""
        self._kernels.unpack(folded, *self._read(streams, grouped), *self._of_symbols)

    def unpack_and_unfold(self, streams: list[memoryview], grouped: bool, state: BlockState, spans: Spans) -> int:
        """Undo `fold_and_pack`, but for moving on; the checksum. CorruptError as above."""
        symbols_and_bits = self._read(streams, grouped)
        return int(
            self._kernels.unpack_and_unfold(*symbols_and_bits, *self._of_symbols, state.words, state.before, *spans)
        )

    def _read(self, streams: list[memoryview], grouped: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Give the symbols of all words, as the words lie, and their low bits, with some bytes behind them."""
        lengths = self._plan() if grouped else [self._size]
        if len(streams) != len(lengths) + 1:
            raise CorruptError("the frame does not have as many streams as groups of symbols")
        symbols = decompress_segments(streams[1:], lengths)
        low = self._low_bits(symbols, streams[0])
        if not grouped:
            return symbols, low
        (contexts, *_), (placed, _, _) = self._memory(grouped)
        self._kernels.unpack_symbols(self._means, self._young, contexts, self._groups, self._starts, placed, symbols)
        self._young = False
        return _read_only(placed), low

    def _plan(self) -> list[int]:
        """Put words in groups; how many symbols each has."""
        planned, _ = self._memory(grouped=True)
        number = self._kernels.plan(self._means, *planned)
        return cast(list[int], self._segments[1 : 2 * number : 2].tolist())

    def _low_bits(self, symbols: NDArray[np.uint8], stream: memoryview) -> NDArray[np.uint8]:
        """Give low bits with what the kernel may read beyond their end; CorruptError unless symbols have as many."""
        needed = self._kernels.low_words(symbols, 16 * self._word.itemsize)
        if needed < 0 or 8 * needed != len(stream):
            raise CorruptError("the low bits of a block are not those of its symbols")
        low = _with_more(stream)
        if low is None:
            _, (_, _, low) = self._memory(grouped=False)
            low[: 8 * needed] = stream
        return _read_only(low)

    def _prepare(self, form: WordFormat, encodes: bool) -> Any:
        """Compile, or load, the kernels for one kind of word; gives their module."""
        from lca_analysis.trajectory import symbol_kernels as kernels
        from lca_analysis.trajectory.compiled import first_call

        none: Words = np.empty(0, form.word)
        means, placed, low = np.empty(0, np.uint16), np.empty(0, np.uint8), np.empty(16, np.uint8)
        found = _read_only(placed), _read_only(low)  # for the compiler, a type of their own
        planned = placed, self._counts, self._groups, self._starts, self._segments
        first_call(kernels.weighted_sum, none)
        first_call(kernels.plan, means, *planned)
        if encodes:
            first_call(kernels.pack, none, True, means, True, *planned, placed, placed, low)
        else:
            first_call(kernels.unpack_symbols, means, True, placed, self._groups, self._starts, placed, found[0])
            first_call(kernels.low_words, found[0], 0)
            first_call(kernels.unpack, none, *found, *_of_symbols(form.word))
            if is_compiled(form):
                arguments = *found, *_of_symbols(form.word), none, none, *no_spans(form)
                first_call(kernels.unpack_and_unfold, *arguments)
        if encodes and is_compiled(form):
            rows = np.empty((1, 0), np.uint8), np.empty((1, 16), np.uint8), np.empty((1, 3), np.uint64)
            folding = (none,) * LOT, 0, 0, none, none, *no_spans(form)
            first_call(kernels.fold_and_pack, *folding, True, means, True, *planned, placed, *rows)
        return kernels

    def _memory(self, grouped: bool, points: int = 1) -> tuple[_Planned, _Work]:
        """Contexts, counts, groups, starts, segments; symbols by words, and of each point by groups, and low bits."""
        if grouped and not self._means.size:
            self._means = np.zeros(self._size, np.uint16)
        size, byte = self._size, np.dtype(np.uint8)
        contexts, placed = (self._scratch.array(use, size if grouped else 0, byte) for use in ("contexts", "placed"))
        symbols = self._scratch.array("symbols", points * size, byte)
        most = 8 * (size * (8 * self._word.itemsize - 2) // 64 + 3)  # `low_bits` asks for some more than there are
        low = self._scratch.array("low", points * most, byte)
        return (contexts, self._counts, self._groups, self._starts, self._segments), (placed, symbols, low)


@cache
def _of_symbols(word: np.dtype[Any]) -> tuple[Words, NDArray[np.uint8]]:
    """For each symbol: the word that it stands for without low bits, and how many those are."""
    symbols = np.arange(16 * word.itemsize, dtype=np.uint64)
    widths = np.maximum(symbols >> 1, 1) - 1
    return ((symbols - 2 * widths) << widths).astype(word), widths.astype(np.uint8)


def _read_only(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the same memory as what nobody writes to, as all that comes from bytes is."""
    view = array[:]
    view.flags.writeable = False
    return view


def _with_more(stream: memoryview) -> NDArray[np.uint8] | None:
    """Give a stream with what lies behind it in a frame, where that is enough for `low_bits.get`; not copied."""
    if not len(stream):
        return None
    whole, part = (np.frombuffer(memory, np.uint8) for memory in (cast(Any, stream.obj), stream))
    start = part.ctypes.data - whole.ctypes.data
    return whole[start:] if start + part.size + BEYOND <= whole.size else None
