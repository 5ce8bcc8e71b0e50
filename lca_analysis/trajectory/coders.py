"""What stands between folded residuals and the streams of a frame, by format version."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.checksums import checksum
from lca_analysis.trajectory.classes import SMALLEST_CLASS, ResidualClasses
from lca_analysis.trajectory.entropy import Stream, compress, decompress_parts
from lca_analysis.trajectory.presets import KEPT, PLAIN, SORTED, SYMBOLS, UNGROUPED, Preset, is_turn
from lca_analysis.trajectory.residuals import fold, is_compiled, kernel_spans, unfold
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.state import BlockState
from lca_analysis.trajectory.symbols import LOT, Symbols
from lca_analysis.trajectory.words import Words

SYMBOLS_SINCE, UNGROUPED_SINCE = 4, 5  # format versions
_OF_SYMBOLS = 0.5  # bytes that a symbol is counted with
Chosen = tuple[list[int], list[float]]  # predictor and momentum of each piece


class Coded(NamedTuple):
    """A point: the order that the frame names, its streams, and the checksum of its words."""

    order: int
    streams: list[Stream]
    checksum: int


class ResidualCoder(Protocol):
    """Codes and decodes the folded residuals of a block, frame by frame."""

    def forget(self) -> None:
        """Begin anew, behind a keyframe."""

    def code(
        self, state: BlockState, lot: Sequence[Words], chosen: Chosen, limit: float, behind: int = 0
    ) -> list[Coded]:
        """Fold points that follow the state, move on to them, and `pack`; those after one above the limit wait.

        The streams of so many points behind which these come must not be overwritten.
        """

    def weight(self, streams: list[Stream]) -> float:
        """How large a frame is, roughly, in bytes: what the limit is about."""

    def pack(self, folded: Words) -> tuple[int, list[Stream]]:
        """Give the order that the frame names, and its streams."""

    def unpack(self, order: int, streams: list[memoryview], folded: Words) -> None:
        """Undo `pack`; CorruptError for what cannot be."""

    def restore(self, state: BlockState, order: int, streams: list[memoryview], chosen: Chosen) -> int:
        """Undo `code` for a point, but for moving on; the checksum of its words. CorruptError for what cannot be."""


def residual_coder(block: Block, version: int, scratch: Scratch, preset: Preset | None = None) -> ResidualCoder:
    """Make the coder of a format version; a decoder has no preset."""
    if version >= SYMBOLS_SINCE:
        return SymbolCoder(block, version, scratch, preset)
    return ClassCoder(block, version, scratch, preset)


class SymbolCoder:
    """Symbols and low bits: since format version 4; in groups, or, since version 5, not."""

    def __init__(self, block: Block, version: int, scratch: Scratch, preset: Preset | None) -> None:
        grouped = preset is None or preset.grouped or version < UNGROUPED_SINCE
        self._order = SYMBOLS if grouped else UNGROUPED
        self._version = version
        self._symbols = Symbols(block.size, block.form, scratch, preset is not None, grouped)
        self._scratch = scratch
        self._size = block.size
        self.forget = self._symbols.forget

    def code(
        self, state: BlockState, lot: Sequence[Words], chosen: Chosen, limit: float, behind: int = 0
    ) -> list[Coded]:
        """Fold points that follow the state, move on to them, and `pack`: in one kernel where there is one."""
        words = lot[0]
        if not is_compiled(state.block.form):
            folded = self._scratch.array("folded", words.size, words.dtype)
            fold(state, words, *chosen, folded)
            return [Coded(*self.pack(folded), checksum(words, SYMBOLS_SINCE))]
        most = int(min(limit - _OF_SYMBOLS * words.size, 8.0 * words.size) // 8)
        coded = self._symbols.fold_and_pack(state, lot[:LOT], kernel_spans(state, *chosen), most, behind)
        return [Coded(self._order, *point) for point in coded]

    def weight(self, streams: list[Stream]) -> float:
        """Count low bits, and symbols at half a byte each."""
        return len(streams[0]) + _OF_SYMBOLS * self._size

    def pack(self, folded: Words) -> tuple[int, list[Stream]]:
        """Give the order that the frame names, and its streams."""
        return self._order, self._symbols.pack(folded)

    def unpack(self, order: int, streams: list[memoryview], folded: Words) -> None:
        """Undo `pack`."""
        self._symbols.unpack(streams, self._is_grouped(order), folded)

    def restore(self, state: BlockState, order: int, streams: list[memoryview], chosen: Chosen) -> int:
        """Undo `code`: in one kernel where there is one."""
        grouped = self._is_grouped(order)
        if is_compiled(state.block.form):
            return self._symbols.unpack_and_unfold(streams, grouped, state, kernel_spans(state, *chosen))
        folded = self._scratch.array("folded", self._size, state.words.dtype)
        self._symbols.unpack(streams, grouped, folded)
        unfold(state, *chosen, folded)
        return checksum(state.before, SYMBOLS_SINCE)

    def _is_grouped(self, order: int) -> bool:
        """Whether symbols are in groups; CorruptError for an order that the format version does not have."""
        if order == SYMBOLS or (order == UNGROUPED and self._version >= UNGROUPED_SINCE):
            return order == SYMBOLS
        raise CorruptError("the frame names an order that does not exist")


class ClassCoder:
    """Residuals sorted by class: format versions 2 and 3."""

    def __init__(self, block: Block, version: int, scratch: Scratch, preset: Preset | None) -> None:
        self._scratch = scratch
        self._preset = preset
        sorts = preset is None or preset.sort_every > 0
        self._classes = ResidualClasses(block.size, version, block.form.word) if sorts else None
        self._frames = 0

    def forget(self) -> None:
        """Begin anew, behind a keyframe."""
        self._frames = 0
        if self._classes is not None:
            self._classes.forget()

    def code(
        self, state: BlockState, lot: Sequence[Words], chosen: Chosen, limit: float, behind: int = 0
    ) -> list[Coded]:
        """Fold the first point of a lot, which follows the state, move on to it, and `pack`."""
        words = lot[0]
        folded = self._scratch.array("folded", words.size, words.dtype)
        fold(state, words, *chosen, folded)
        return [Coded(*self.pack(folded), checksum(words, SYMBOLS_SINCE - 1))]

    def weight(self, streams: list[Stream]) -> float:
        """Count all."""
        return sum(map(len, streams))

    def pack(self, folded: Words) -> tuple[int, list[Stream]]:
        """Give the order that the frame names, and its streams: sorted by class where the preset says so."""
        if self._preset is None:
            raise RuntimeError("a decoder does not encode")
        self._frames += 1
        every, level, classes = self._preset.sort_every, self._preset.level, self._classes
        if classes is None or folded.size < 2 * SMALLEST_CLASS:
            if classes is not None:
                classes.update(folded)
            return PLAIN, [compress(folded, level)]
        renew = is_turn(self._frames, every)
        if renew:
            classes.renew()
        placed = self._scratch.array("sorted", folded.size, folded.dtype)
        classes.sort(folded, placed)
        classes.update(folded)
        parts = np.split(placed, classes.ends[:-1])
        return SORTED if renew else KEPT, [compress(part, level) for part in parts]

    def unpack(self, order: int, streams: list[memoryview], folded: Words) -> None:
        """Decompress, put the residuals back in their order, and class the words by them."""
        classes = self._classes
        if classes is None:
            raise RuntimeError("a decoder keeps classes")
        if order not in (PLAIN, KEPT, SORTED):
            raise CorruptError("the frame names an order that does not exist")
        if order == PLAIN:
            decompress_parts(streams, folded, [folded.size])
        else:
            if order == SORTED:
                classes.renew()
            placed = self._scratch.array("sorted", folded.size, folded.dtype)
            decompress_parts(streams, placed, classes.ends)
            classes.unsort(placed, folded)
        classes.update(folded)

    def restore(self, state: BlockState, order: int, streams: list[memoryview], chosen: Chosen) -> int:
        """Undo `code`."""
        folded = self._scratch.array("folded", state.block.size, state.words.dtype)
        self.unpack(order, streams, folded)
        unfold(state, *chosen, folded)
        return checksum(state.before, SYMBOLS_SINCE - 1)
