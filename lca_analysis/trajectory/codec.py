"""The delta codec of one block: choose predictors, fold residuals, sort them by class, compress."""

import zlib
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np

from lca_analysis.errors import CorruptError, NumericalError
from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.bounded import StepMeans, quantise
from lca_analysis.trajectory.choice import PredictorChoice
from lca_analysis.trajectory.classes import SMALLEST_CLASS
from lca_analysis.trajectory.entropy import compress, decompress_into
from lca_analysis.trajectory.prediction import MOMENTUM, NONE, STEP, subnormals_work
from lca_analysis.trajectory.residuals import fold, predictions, prepare, unfold
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.state import BlockState, Coding
from lca_analysis.trajectory.words import Words, from_ordered, in_parts, to_ordered, unzigzag, zigzag


class BlockHeader(msgspec.Struct, array_like=True):
    """How one block of a frame is coded.

    `order` says how the words lie in the streams; `streams` are the lengths of the compressed streams in bytes;
    `checksum` is the CRC-32 of the decoded words; `predictors` and `momenta` have an entry per piece (none in a
    keyframe). `exact` is None where all words are exact; in a frame with a bounded error it is the number of words
    that are listed apart, by two more streams: their places and their ordered words.
    """

    order: int
    streams: list[int]
    checksum: int
    predictors: list[int] = []
    momenta: list[float] = []
    exact: int | None = None


PLAIN, KEPT, SORTED = 0, 1, 2  # orders: as in the block, as sorted for an earlier frame, sorted for this frame


@dataclass(frozen=True)
class Preset:
    """What an encoder may spend; the decoder needs none of it.

    `sort_every` is the number of frames that share an order by class (0: no classes), `choose_every` that of frames
    that share a choice of predictors; `level` is pcodec's.
    """

    level: int
    sort_every: int
    choose_every: int


_LATEST = Coding()
PRESETS = {
    "small": Preset(level=8, sort_every=4, choose_every=1),
    "fast": Preset(level=6, sort_every=0, choose_every=4),
}


class BlockEncoder:
    """Codes the points of one block, one after the other; blocks of a run may share their scratch memory."""

    def __init__(self, block: Block, preset: Preset, coding: Coding = _LATEST, scratch: Scratch | None = None) -> None:
        prepare(block.form)
        self._block = block
        self._preset = preset
        self._scratch = scratch or Scratch()
        self._choice = PredictorChoice(block)
        self._state = BlockState(block, coding, sorts=preset.sort_every > 0)
        self._chosen: tuple[list[int], list[float]] = ([], [])
        self._frames = -1  # behind the last keyframe

    def keyframe(self, words: Words) -> tuple[BlockHeader, list[bytes]]:
        """Code a point by itself and forget what was before."""
        self._state.words[:] = words
        self._state.restart()
        self._frames = 0
        ordered = in_parts(partial(to_ordered, form=self._block.form), words, out=self._memory("folded"))
        data = compress(ordered, self._preset.level)
        return BlockHeader(PLAIN, [len(data)], _checksum(words)), [data]

    def delta(self, words: Words) -> tuple[BlockHeader, list[bytes]]:
        """Code a point against the points since the last keyframe."""
        state = self._state
        if self._frames < 0:
            raise RuntimeError("a block begins with a keyframe")
        self._frames += 1
        if self._renews(self._preset.choose_every) or not subnormals_work():
            self._chosen = self._choice.choose(state, words)
        predictors, momenta = self._chosen
        if state.means is not None and subnormals_work():
            return self._bounded(state, state.means, words, BlockHeader(0, [], 0, predictors, momenta))
        folded = self._memory("folded")
        fold(state, words, predictors, momenta, folded)
        order, data = self._streams(state, folded)
        if state.means is not None:
            state.means.forget()
        lengths = [len(part) for part in data]
        return BlockHeader(order, lengths, _checksum(state.words), predictors, momenta), data

    def _bounded(
        self, state: BlockState, means: StepMeans, words: Words, header: BlockHeader
    ) -> tuple[BlockHeader, list[bytes]]:
        """Code a point in steps, against its own reconstruction, so that errors do not add up."""
        form, folded = self._block.form, self._memory("folded")
        missed, apart = [], []
        for part, guess in predictions(state, header.predictors, header.momenta):
            wanted, shifts = to_ordered(words[part], form), means.shifts(guess, part)
            steps = quantise(wanted - guess, shifts, form)
            reached = guess + (steps << shifts)
            misses = means.misses(reached, wanted, part)
            reached[misses], steps[misses] = wanted[misses], 0
            folded[part], state.before[part] = zigzag(steps, form), from_ordered(reached, form)
            missed.append((misses + part.start).astype(np.uint32))
            apart.append(wanted[misses])
        state.advance()
        means.advance(state.words, state.before)
        header.order, data = self._streams(state, folded)
        data += [compress(np.concatenate(listed), self._preset.level) for listed in (missed, apart)]
        header.streams, header.checksum = [len(part) for part in data], _checksum(state.words)
        header.exact = sum(map(len, missed))
        return header, data

    def _streams(self, state: BlockState, folded: Words) -> tuple[int, list[bytes]]:
        """Compress folded residuals, sorted by class if the preset says so."""
        every, level, classes = self._preset.sort_every, self._preset.level, state.classes
        if classes is None or folded.size < 2 * SMALLEST_CLASS:
            if classes is not None:
                classes.update(folded)
            return PLAIN, [compress(folded, level)]
        renew = self._renews(every)
        if renew:
            classes.renew()
        placed = self._memory("sorted")
        classes.sort(folded, placed)
        classes.update(folded)
        parts = np.split(placed, classes.ends[:-1])
        return SORTED if renew else KEPT, [compress(part, level) for part in parts]

    def _renews(self, every: int) -> bool:
        """Whether this frame renews what so many share; right behind a keyframe, where all is young, each does."""
        return self._frames <= every or (self._frames - 1) % every == 0

    def _memory(self, use: str) -> Words:
        """Memory for the words of this block."""
        return self._scratch.words(use, self._block.size, self._block.form)


class BlockDecoder:
    """Decodes the points of one block, one after the other; blocks of a run may share their scratch memory."""

    def __init__(self, block: Block, coding: Coding = _LATEST, scratch: Scratch | None = None) -> None:
        self._block = block
        self._coding = coding
        self._scratch = scratch or Scratch()
        self._state: BlockState | None = None

    @property
    def words(self) -> Words:
        """The last decoded point, until the next one is decoded."""
        if self._state is None:
            raise CorruptError("a segment does not begin with a keyframe")
        return self._state.words

    def keyframe(self, header: BlockHeader, data: memoryview) -> None:
        """Decode a point that was coded by itself."""
        ordered = self._memory("folded")
        _decompress_parts(header, data, ordered, [ordered.size])
        if self._state is None:
            prepare(self._block.form)
            self._state = BlockState(self._block, self._coding)
        in_parts(partial(from_ordered, form=self._block.form), ordered, out=self._state.words)
        self._state.restart()
        _check_words(self._state.words, header)

    def delta(self, header: BlockHeader, data: memoryview) -> None:
        """Decode a point against the one before."""
        self._check(header)
        state = self._state
        if state is None:
            raise CorruptError("a segment does not begin with a keyframe")
        coded, apart = _split(header, data)
        folded = self._residuals(state, coded, data[: sum(coded.streams)])
        if header.exact is None or state.means is None:
            unfold(state, header.predictors, header.momenta, folded)
        else:
            self._unfold_steps(state, state.means, header, folded)
        self._place_exact(state.before, header.exact or 0, apart, data[sum(coded.streams) :])
        state.advance()
        if state.means is not None:
            state.means.forget() if header.exact is None else state.means.advance(state.words, state.before)
        _check_words(state.words, header)

    def _unfold_steps(self, state: BlockState, means: StepMeans, header: BlockHeader, folded: Words) -> None:
        """Undo the coding in steps, but for what is listed apart."""
        form = self._block.form
        for part, guess in predictions(state, header.predictors, header.momenta):
            steps = unzigzag(folded[part], form) << means.shifts(guess, part)
            state.before[part] = from_ordered(guess + steps, form)

    def _residuals(self, state: BlockState, header: BlockHeader, data: memoryview) -> Words:
        """Decompress folded residuals, put them back in their order, and class the words by them."""
        folded, classes = self._memory("folded"), state.classes
        if classes is None:
            raise RuntimeError("a decoder keeps classes")
        if header.order == PLAIN:
            _decompress_parts(header, data, folded, [folded.size])
        else:
            if header.order == SORTED:
                classes.renew()
            placed = self._memory("sorted")
            _decompress_parts(header, data, placed, classes.ends)
            classes.unsort(placed, folded)
        classes.update(folded)
        return folded

    def _place_exact(self, now: Words, number: int, streams: list[int], data: memoryview) -> None:
        """Put the words that are listed apart in their places."""
        if not number:
            return
        places, ordered = np.empty(number, np.uint32), np.empty(number, now.dtype)
        decompress_into(bytes(data[: streams[0]]), places)
        decompress_into(bytes(data[streams[0] :]), ordered)
        if places.max() >= now.size:
            raise CorruptError("the frame lists a word that its block does not have")
        now[places] = from_ordered(ordered, self._block.form)

    def _memory(self, use: str) -> Words:
        """Memory for the words of this block."""
        return self._scratch.words(use, self._block.size, self._block.form)

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
        if header.exact is not None and not (self._coding.fraction and 0 <= header.exact <= self._block.size):
            raise CorruptError("the frame lists exact words where none can be")
        if (MOMENTUM in header.predictors or header.exact is not None) and not subnormals_work():
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


def _split(header: BlockHeader, data: memoryview) -> tuple[BlockHeader, list[int]]:
    """Tell the streams of residuals from those of the words that are listed apart."""
    if sum(header.streams) != len(data) or any(length < 0 for length in header.streams):
        raise CorruptError("the streams of a block do not fill it")
    if header.exact is None:
        return header, []
    if len(header.streams) < 3:
        raise CorruptError("the frame does not have the streams of the words that are listed apart")
    return msgspec.structs.replace(header, streams=header.streams[:-2]), header.streams[-2:]


def _checksum(words: Words) -> int:
    """CRC-32 of words as they lie in memory."""
    return zlib.crc32(words.data)


def _check_words(words: Words, header: BlockHeader) -> None:
    """Raise CorruptError unless the decoded words are, to the bit, those that were coded."""
    if _checksum(words) != header.checksum:
        raise CorruptError("the decoded numbers are not those that were recorded")
