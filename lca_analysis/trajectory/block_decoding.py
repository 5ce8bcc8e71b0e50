"""The decoder of one block."""

from functools import partial
from itertools import accumulate

import numpy as np

from lca_analysis.errors import CorruptError, NumericalError
from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.bounded import StepMeans
from lca_analysis.trajectory.checksums import check_sum, checksum
from lca_analysis.trajectory.coders import ResidualCoder, residual_coder
from lca_analysis.trajectory.entropy import decompress_into, decompress_parts
from lca_analysis.trajectory.prediction import MOMENTUM, NONE, STEP, subnormals_work
from lca_analysis.trajectory.presets import BlockHeader
from lca_analysis.trajectory.residuals import predictions, prepare
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.state import BlockState, Coding
from lca_analysis.trajectory.words import Words, from_ordered, in_parts, unzigzag

_LATEST = Coding()


class BlockDecoder:
    """Decodes the points of one block, one after the other; blocks of a run may share their scratch memory.

    Points lie in two pieces of memory by turns, which may be given: the first in the second of them.
    """

    def __init__(
        self,
        block: Block,
        coding: Coding = _LATEST,
        scratch: Scratch | None = None,
        memory: tuple[Words, Words] | None = None,
    ) -> None:
        self._block = block
        self._coding = coding
        self._scratch = scratch or Scratch()
        self._memory = memory
        self._known: tuple[BlockState, ResidualCoder] | None = None
        self._is_behind_keyframe = False

    @property
    def words(self) -> Words:
        """The last decoded point, until the one after the next is decoded."""
        return self._state[0].words

    @property
    def _state(self) -> tuple[BlockState, ResidualCoder]:
        """What a keyframe and the frames behind it have taught."""
        if self._known is None:
            raise CorruptError("a segment does not begin with a keyframe")
        return self._known

    def keyframe(self, header: BlockHeader, data: memoryview) -> None:
        """Decode a point that was coded by itself."""
        decompress_parts(_cut(header, data), self._folded, [self._block.size])
        if self._known is None:
            prepare(self._block.form)
            coder = residual_coder(self._block, self._coding.version, self._scratch)
            self._known = BlockState(self._block, self._coding, self._memory), coder
        state, coder = self._known
        in_parts(partial(from_ordered, form=self._block.form), self._folded, out=state.before)
        state.advance()
        coder.forget()
        self._is_behind_keyframe = True
        check_sum(checksum(state.words, self._coding.version), header.checksum)

    def delta(self, header: BlockHeader, data: memoryview) -> None:
        """Decode a point against the one before."""
        self._check(header)
        state, coder = self._state
        if self._is_behind_keyframe:
            state.restart()  # only now: until this point, the one before the keyframe was still there to be looked at
            self._is_behind_keyframe = False
        streams, apart = _split(header, _cut(header, data))
        if header.exact is None or state.means is None:
            found = coder.restore(state, header.order, streams, (header.predictors, header.momenta))
            state.advance()
        else:
            coder.unpack(header.order, streams, self._folded)
            self._unfold_steps(state, state.means, header)
            self._place_exact(state.before, header.exact, apart)
            state.advance()
            found = checksum(state.words, self._coding.version)
        if state.means is not None:
            state.means.forget() if header.exact is None else state.means.advance(state.words, state.before)
        check_sum(found, header.checksum)

    def _unfold_steps(self, state: BlockState, means: StepMeans, header: BlockHeader) -> None:
        """Undo the coding in steps, but for what is listed apart."""
        form = self._block.form
        for part, guess in predictions(state, header.predictors, header.momenta):
            steps = unzigzag(self._folded[part], form) << means.shifts(guess, part)
            state.before[part] = from_ordered(guess + steps, form)

    def _place_exact(self, now: Words, number: int, streams: list[memoryview]) -> None:
        """Put the words that are listed apart in their places."""
        if not number:
            return
        places, ordered = np.empty(number, np.uint32), np.empty(number, now.dtype)
        decompress_into(bytes(streams[0]), places)
        decompress_into(bytes(streams[1]), ordered)
        if places.max() >= now.size:
            raise CorruptError("the frame lists a word that its block does not have")
        now[places] = from_ordered(ordered, self._block.form)

    @property
    def _folded(self) -> Words:
        """Memory for the folded residuals of this block."""
        return self._scratch.array("folded", self._block.size, self._block.form.word)

    def _check(self, header: BlockHeader) -> None:
        """Raise CorruptError for a header that does not fit the block."""
        pieces = len(self._block.pieces)
        if len(header.predictors) != pieces or len(header.momenta) != pieces:
            raise CorruptError("the frame does not have one predictor per tensor")
        floats = self._block.form.kind != "integer"
        if not set(header.predictors) <= ({NONE, STEP, MOMENTUM} if floats else {NONE, STEP}):
            raise CorruptError("the frame names a predictor that does not exist")
        if header.exact is not None and not (self._coding.fraction and 0 <= header.exact <= self._block.size):
            raise CorruptError("the frame lists exact words where none can be")
        if (MOMENTUM in header.predictors or header.exact is not None) and not subnormals_work():
            raise NumericalError(
                "this thread flushes subnormal numbers to zero, so runs cannot be decoded to the bit: "
                "call torch.set_flush_denormal(False) first"
            )


def _cut(header: BlockHeader, data: memoryview) -> list[memoryview]:
    """Cut a block's part of the payload into its streams."""
    if sum(header.streams) != len(data) or any(length < 0 for length in header.streams):
        raise CorruptError("the streams of a block do not fill it")
    ends = accumulate(header.streams)
    return [data[end - length : end] for length, end in zip(header.streams, ends, strict=True)]


def _split(header: BlockHeader, streams: list[memoryview]) -> tuple[list[memoryview], list[memoryview]]:
    """Tell the streams of residuals from those of the words that are listed apart."""
    if header.exact is None:
        return streams, []
    if len(streams) < 3:
        raise CorruptError("the frame does not have the streams of the words that are listed apart")
    return streams[:-2], streams[-2:]
