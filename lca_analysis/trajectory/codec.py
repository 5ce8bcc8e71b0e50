"""The delta codec of one block: choose predictors, fold residuals, sort them by class, compress."""

import zlib
from dataclasses import dataclass

import msgspec
import numpy as np

from lca_analysis.errors import CorruptError, NumericalError
from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.choice import PredictorChoice
from lca_analysis.trajectory.entropy import SMALLEST_CLASS, compress, decompress_into
from lca_analysis.trajectory.prediction import MOMENTUM, NONE, STEP, subnormals_work
from lca_analysis.trajectory.state import BlockState
from lca_analysis.trajectory.words import Words, from_ordered, to_ordered, unzigzag, zigzag


class BlockHeader(msgspec.Struct, array_like=True):
    """How one block of a frame is coded.

    `order` says how the words lie in the streams; `streams` are the lengths of the compressed streams in bytes;
    `checksum` is the CRC-32 of the decoded words; `predictors` and `momenta` have an entry per piece (none in a
    keyframe).
    """

    order: int
    streams: list[int]
    checksum: int
    predictors: list[int] = []
    momenta: list[float] = []


PLAIN, KEPT, SORTED = 0, 1, 2  # orders: as in the block, as sorted for an earlier frame, sorted for this frame


@dataclass(frozen=True)
class Preset:
    """What an encoder may spend; the decoder needs none of it.

    `sort_every` is the number of frames that share an order by class (0: no classes), `level` is pcodec's.
    """

    level: int
    sort_every: int


PRESETS = {"small": Preset(level=8, sort_every=4), "fast": Preset(level=6, sort_every=0)}


class BlockEncoder:
    """Codes the points of one block, one after the other."""

    def __init__(self, block: Block, preset: Preset) -> None:
        self._block = block
        self._preset = preset
        self._choice = PredictorChoice(block)
        self._state: BlockState | None = None
        self._frames = 0

    def keyframe(self, words: Words) -> tuple[BlockHeader, list[bytes]]:
        """Code a point by itself and forget what was before."""
        self._state = BlockState(self._block, words)
        self._frames = 0
        data = compress(self._state.ordered, self._preset.level)
        return BlockHeader(PLAIN, [len(data)], zlib.crc32(words.data)), [data]

    def delta(self, words: Words) -> tuple[BlockHeader, list[bytes]]:
        """Code a point against the points since the last keyframe."""
        state = self._state
        if state is None:
            raise RuntimeError("a block begins with a keyframe")
        ordered = to_ordered(words, self._block.form)
        predictors, momenta = self._choice.choose(state, ordered)
        folded = zigzag(ordered - state.predict(predictors, momenta), self._block.form)
        order, data = self._streams(state, folded)
        state.advance(ordered, folded, words)
        lengths = [len(part) for part in data]
        return BlockHeader(order, lengths, zlib.crc32(words.data), predictors, momenta), data

    def _streams(self, state: BlockState, folded: Words) -> tuple[int, list[bytes]]:
        """Compress folded residuals, sorted by class if the preset says so."""
        every, level = self._preset.sort_every, self._preset.level
        if not every or state.words.size < 2 * SMALLEST_CLASS:
            return PLAIN, [compress(folded, level)]
        # Right behind a keyframe the running means are young, and change fast.
        renew = self._frames < every or self._frames % every == 0
        self._frames += 1
        if renew:
            state.sort()
        parts = np.split(folded.take(state.order), state.ends[:-1])
        return SORTED if renew else KEPT, [compress(part, level) for part in parts]


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
        _check_words(self._state.words, header)

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
        _check_words(state.words, header)

    def _residuals(self, state: BlockState, header: BlockHeader, data: memoryview) -> Words:
        """Decompress folded residuals and put them back in their order."""
        folded: Words = np.empty(self._block.size, dtype=self._block.form.word)
        if header.order == PLAIN:
            _decompress_parts(header, data, folded, [folded.size])
            return folded
        if header.order == SORTED:
            state.sort()
        _decompress_parts(header, data, folded, state.ends)
        placed = np.empty_like(folded)
        placed[state.order] = folded
        return placed

    def _check(self, header: BlockHeader) -> None:
        """Raise CorruptError for a header that does not fit the block."""
        pieces = len(self._block.pieces)
        if len(header.predictors) != pieces or len(header.momenta) != pieces:
            raise CorruptError("the frame does not have one predictor per tensor")
        floats = self._block.form.kind != "integer"
        if not set(header.predictors) <= ({NONE, STEP, MOMENTUM} if floats else {NONE, STEP}):
            raise CorruptError("the frame names a predictor that does not exist")
        if header.order not in (PLAIN, KEPT, SORTED):
            raise CorruptError("the frame names an order that does not exist")
        if MOMENTUM in header.predictors and not subnormals_work():
            raise NumericalError(
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


def _check_words(words: Words, header: BlockHeader) -> None:
    """Raise CorruptError unless the decoded words are, to the bit, those that were coded."""
    if zlib.crc32(words.data) != header.checksum:
        raise CorruptError("the decoded numbers are not those that were recorded")
