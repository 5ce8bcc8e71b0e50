"""The encoder of one block: choose predictors, fold residuals, hand them to the coder of the format version."""

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.bounded import StepMeans, quantise
from lca_analysis.trajectory.checksums import checksum
from lca_analysis.trajectory.choice import PredictorChoice
from lca_analysis.trajectory.coders import Chosen, residual_coder
from lca_analysis.trajectory.entropy import Stream, compress
from lca_analysis.trajectory.prediction import subnormals_work
from lca_analysis.trajectory.presets import PLAIN, BlockHeader, Preset
from lca_analysis.trajectory.residuals import predictions, prepare
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.state import BlockState, Coding
from lca_analysis.trajectory.words import Words, from_ordered, in_parts, to_ordered, zigzag

WORSE = 1.1  # times the weight of the first frame of a choice of predictors: something has changed
Coded = tuple[BlockHeader, list[Stream]]
_LATEST = Coding()


class BlockEncoder:
    """Codes the points of one block, one after the other; blocks of a run may share their scratch memory."""

    def __init__(self, block: Block, preset: Preset, coding: Coding = _LATEST, scratch: Scratch | None = None) -> None:
        prepare(block.form)
        self._block = block
        self._preset = preset
        self._version = coding.version
        self._scratch = scratch or Scratch()
        self._choice = PredictorChoice(block)
        self._state = BlockState(block, coding)
        self._coder = residual_coder(block, coding.version, self._scratch, preset)
        self._chosen: Chosen = ([], [])
        self._frames = -1  # behind the last keyframe
        self._pause = self._next_choice = self._chosen_at = 0
        self._limit = math.inf  # of the weight of frames
        self._behind = 0  # points of one call that are coded

    def keyframe(self, words: Words) -> Coded:
        """Code a point by itself and forget what was before."""
        self._state.words[:] = words
        self._state.restart()
        self._coder.forget()
        self._frames = self._next_choice = 0
        ordered = in_parts(partial(to_ordered, form=self._block.form), words, out=self._folded)
        data = compress(ordered, self._preset.level)
        return BlockHeader(PLAIN, [len(data)], checksum(words, self._version)), [data]

    def deltas(self, points: Sequence[Words]) -> Iterator[Coded]:
        """Code points against those since the last keyframe; how many come at once makes no difference to the bytes.

        The streams last until blocks that share their scratch memory are coded again.
        """
        if self._frames < 0:
            raise RuntimeError("a block begins with a keyframe")
        self._behind = 0
        while self._behind < len(points):
            coded = self._some(points[self._behind :])
            self._behind += len(coded)
            yield from coded

    def _some(self, points: Sequence[Words]) -> list[Coded]:
        """Code the first point, behind a new choice of predictors if it is time, or several that share a choice."""
        exact = not subnormals_work()
        if self._frames + 1 >= self._next_choice or exact:
            self._choose(points[0])
        fresh, means = self._chosen_at == self._frames + 1, self._state.means
        if means is not None and not exact:
            coded = [self._rounded(means, points[0])]
        else:
            number = 1 if fresh or means is not None else self._next_choice - self._frames - 1
            coded = self._exact(points[:number])
            if means is not None:
                means.forget()
        self._frames += len(coded)
        self._judge(fresh, coded[-1][1])
        return coded

    def _judge(self, fresh: bool, streams: list[Stream]) -> None:
        """Choose anew at once where frames have become larger than the first one behind the choice."""
        weight = self._coder.weight(streams)
        if fresh:
            self._limit = WORSE * weight
        elif weight > self._limit:
            self._next_choice = self._frames + 1

    def _choose(self, words: Words) -> None:
        """Choose predictors anew; less often the longer the choice has stayed the same."""
        frame, least, chosen = self._frames + 1, self._preset.choose_every, self._choice.choose(self._state, words)
        stays = frame > least and self._resembles(chosen)  # right behind a keyframe all is young
        self._pause = min(2 * self._pause, self._preset.choose_rarely) if stays else least
        self._chosen, self._chosen_at, self._limit = chosen, frame, math.inf
        self._next_choice = frame + (self._pause if frame > least else 1)

    def _resembles(self, chosen: tuple[list[int], list[float]]) -> bool:
        """Whether a choice is the last one for nearly all words; that of a small tensor wavers."""
        pairs = zip(self._block.pieces, zip(*chosen, strict=True), zip(*self._chosen, strict=True), strict=True)
        return sum(piece.size for piece, new, old in pairs if new == old) >= 0.9 * self._block.size

    def _exact(self, points: Sequence[Words]) -> list[Coded]:
        """Code points to the bit: the first, and others unless one before them exceeds the limit."""
        coded = self._coder.code(self._state, points, self._chosen, self._limit, self._behind)
        return [(_header(frame.order, frame.streams, frame.checksum, self._chosen), frame.streams) for frame in coded]

    def _rounded(self, means: StepMeans, words: Words) -> Coded:
        """Code a point in steps, against its own reconstruction, so that errors do not add up."""
        apart, number = self._quantise(means, words)
        order, streams = self._coder.pack(self._folded)
        streams += apart
        return _header(order, streams, checksum(self._state.words, self._version), self._chosen, number), streams

    def _quantise(self, means: StepMeans, words: Words) -> tuple[list[Stream], int]:
        """Fold a point in steps; gives what is listed apart, and how many words these are."""
        state, form, folded = self._state, self._block.form, self._folded
        missed, apart = [], []
        for part, guess in predictions(state, *self._chosen):
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
        packed: list[Stream] = [compress(np.concatenate(listed), self._preset.level) for listed in (missed, apart)]
        return packed, sum(map(len, missed))

    @property
    def _folded(self) -> Words:
        """Memory for the folded residuals of this block."""
        return self._scratch.array("folded", self._block.size, self._block.form.word)


def _header(order: int, streams: list[Stream], checked: int, chosen: Chosen, exact: int | None = None) -> BlockHeader:
    """Say how a delta is coded."""
    return BlockHeader(order, [len(part) for part in streams], checked, *chosen, exact)
