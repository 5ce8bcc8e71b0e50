"""The delta codec of one block: choose predictors, fold residuals, sort them by class, compress."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.choice import choose_predictors
from lca_analysis.trajectory.entropy import compress, decompress_into, sort_by_class
from lca_analysis.trajectory.prediction import MOMENTUM, NONE, STEP, subnormals_work
from lca_analysis.trajectory.state import CLASSES, BlockState
from lca_analysis.trajectory.words import Words, from_ordered, to_ordered, unzigzag, zigzag


class BlockHeader(msgspec.Struct, array_like=True):
    """How one block of a frame is coded.

    `predictors` and `momenta` have an entry per piece (none in a keyframe); `streams` are the lengths of the
    compressed streams in bytes; `classes` tells whether they are sorted by class or the block as it is.
    """

    classes: bool
    streams: list[int]
    predictors: list[int] = []
    momenta: list[float] = []


@dataclass(frozen=True)
class Preset:
    """What an encoder may spend; the decoder needs none of it."""

    classes: bool


PRESETS = {"small": Preset(classes=True), "fast": Preset(classes=False)}


class BlockEncoder:
    """Codes the points of one block, one after the other."""

    def __init__(self, block: Block, preset: Preset) -> None:
        self._block = block
        self._preset = preset
        self._momenta = [0.0] * len(block.pieces)
        self._state: BlockState | None = None

    def keyframe(self, words: Words) -> tuple[BlockHeader, list[bytes]]:
        """Code a point by itself and forget what was before."""
        self._state = BlockState(self._block, words)
        data = compress(self._state.ordered)
        return BlockHeader(False, [len(data)]), [data]

    def delta(self, words: Words) -> tuple[BlockHeader, list[bytes]]:
        """Code a point against the points since the last keyframe."""
        state = self._state
        if state is None:
            raise RuntimeError("a block begins with a keyframe")
        ordered = to_ordered(words, self._block.form)
        predictors, self._momenta = choose_predictors(state, ordered, self._momenta)
        folded = zigzag(ordered - state.predict(predictors, self._momenta), self._block.form)
        header, data = self._streams(state, folded)
        header.predictors, header.momenta = predictors, self._momenta
        state.advance(ordered, folded, words)
        return header, data

    def _streams(self, state: BlockState, folded: Words) -> tuple[BlockHeader, list[bytes]]:
        """Compress folded residuals, sorted by class if the preset says so."""
        if not self._preset.classes:
            data = [compress(folded)]
        else:
            order, ends = sort_by_class(state.classes(), CLASSES)
            data = [compress(part) for part in np.split(folded[order], ends[:-1])]
        return BlockHeader(self._preset.classes, [len(part) for part in data]), data


class BlockDecoder:
    """Decodes the points of one block, one after the other."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._state: BlockState | None = None

    @property
    def words(self) -> Words:
        """The last decoded point."""
        if self._state is None:
            raise CorruptError("a segment does not begin with a keyframe")
        return self._state.words

    def keyframe(self, header: BlockHeader, data: memoryview) -> None:
        """Decode a point that was coded by itself."""
        ordered: Words = np.empty(self._block.size, dtype=self._block.form.word)
        _decompress_parts(header, data, ordered, [ordered.size])
        self._state = BlockState(self._block, from_ordered(ordered, self._block.form))

    def delta(self, header: BlockHeader, data: memoryview) -> None:
        """Decode a point against the one before."""
        self._check(header)
        state = self._state
        if state is None:
            raise CorruptError("a segment does not begin with a keyframe")
        folded = self._residuals(state, header, data)
        ordered = unzigzag(folded, self._block.form)
        ordered += state.predict(header.predictors, header.momenta)
        state.advance(ordered, folded)

    def _residuals(self, state: BlockState, header: BlockHeader, data: memoryview) -> Words:
        """Decompress folded residuals and put them back in their order."""
        folded: Words = np.empty(self._block.size, dtype=self._block.form.word)
        if not header.classes:
            _decompress_parts(header, data, folded, [folded.size])
            return folded
        order, ends = sort_by_class(state.classes(), CLASSES)
        _decompress_parts(header, data, folded, ends)
        placed = np.empty_like(folded)
        placed[order] = folded
        return placed

    def _check(self, header: BlockHeader) -> None:
        """Raise CorruptError for a header that does not fit the block."""
        pieces = len(self._block.pieces)
        if len(header.predictors) != pieces or len(header.momenta) != pieces:
            raise CorruptError("the frame does not have one predictor per tensor")
        floats = self._block.form.kind != "integer"
        if not set(header.predictors) <= ({NONE, STEP, MOMENTUM} if floats else {NONE, STEP}):
            raise CorruptError("the frame names a predictor that does not exist")
        if MOMENTUM in header.predictors and not subnormals_work():
            raise RuntimeError(
                "this thread flushes subnormal numbers to zero, so runs cannot be decoded to the bit: "
                "call torch.set_flush_denormal(False) first"
            )


def _decompress_parts(header: BlockHeader, data: memoryview, words: Words, ends: list[int]) -> None:
    """Decompress one stream after the other into consecutive parts of `words`."""
    if len(header.streams) != len(ends) or any(length < 0 for length in header.streams):
        raise CorruptError("the frame does not have as many streams as classes")
    if sum(header.streams) != len(data):
        raise CorruptError("the streams of a block do not fill it")
    start = taken = 0
    for length, end in zip(header.streams, ends, strict=True):
        decompress_into(bytes(data[taken : taken + length]), words[start:end])
        start, taken = end, taken + length


def header_bytes(header: Any) -> bytes:
    """Encode a frame header."""
    return msgspec.msgpack.encode(header)
