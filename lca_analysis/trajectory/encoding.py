"""The encoder of one block: choose predictors, fold residuals, hand them to the coder of the format version."""

from functools import partial

import numpy as np

from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.bounded import StepMeans, quantise
from lca_analysis.trajectory.checksums import checksum
from lca_analysis.trajectory.choice import PredictorChoice
from lca_analysis.trajectory.coders import residual_coder
from lca_analysis.trajectory.entropy import compress
from lca_analysis.trajectory.prediction import subnormals_work
from lca_analysis.trajectory.presets import PLAIN, BlockHeader, Preset
from lca_analysis.trajectory.residuals import predictions, prepare
from lca_analysis.trajectory.scratch import Scratch
from lca_analysis.trajectory.state import BlockState, Coding
from lca_analysis.trajectory.words import Words, from_ordered, in_parts, to_ordered, zigzag

WORSE = 1.1  # times the size of the first frame of a choice of predictors: something has changed
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
        self._chosen: tuple[list[int], list[float]] = ([], [])
        self._frames = -1  # behind the last keyframe
        self._pause = self._next_choice = self._chosen_at = self._size = 0

    def keyframe(self, words: Words) -> tuple[BlockHeader, list[bytes]]:
        """Code a point by itself and forget what was before."""
        self._state.words[:] = words
        self._state.restart()
        self._coder.forget()
        self._frames = self._next_choice = 0
        ordered = in_parts(partial(to_ordered, form=self._block.form), words, out=self._folded)
        data = compress(ordered, self._preset.level)
        return BlockHeader(PLAIN, [len(data)], checksum(words, self._version)), [data]

    def delta(self, words: Words) -> tuple[BlockHeader, list[bytes]]:
        """Code a point against the points since the last keyframe."""
        state = self._state
        if self._frames < 0:
            raise RuntimeError("a block begins with a keyframe")
        self._frames += 1
        exact = not subnormals_work()
        if self._frames >= self._next_choice or exact:
            self._choose(words)
        header = BlockHeader(0, [], 0, *self._chosen)
        if state.means is not None and not exact:
            apart = self._quantise(state, state.means, words, header)
            header.order, data = self._coder.pack(self._folded)
            data += apart
            header.checksum = checksum(state.words, self._version)
        else:
            header.order, data, header.checksum = self._coder.code(state, words, self._chosen)
            if state.means is not None:
                state.means.forget()
        header.streams = [len(part) for part in data]
        self._judge(sum(header.streams))
        return header, data

    def _judge(self, size: int) -> None:
        """Choose anew at once where frames have become larger than the first one behind the choice."""
        if self._frames == self._chosen_at:
            self._size = size
        elif size > WORSE * self._size:
            self._next_choice = self._frames + 1

    def _choose(self, words: Words) -> None:
        """Choose predictors anew; less often the longer the choice has stayed the same."""
        least, chosen = self._preset.choose_every, self._choice.choose(self._state, words)
        stays = self._frames > least and self._resembles(chosen)  # right behind a keyframe all is young
        self._pause = min(2 * self._pause, self._preset.choose_rarely) if stays else least
        self._chosen, self._chosen_at = chosen, self._frames
        self._next_choice = self._frames + (self._pause if self._frames > least else 1)

    def _resembles(self, chosen: tuple[list[int], list[float]]) -> bool:
        """Whether a choice is the last one for nearly all words; that of a small tensor wavers."""
        pairs = zip(self._block.pieces, zip(*chosen, strict=True), zip(*self._chosen, strict=True), strict=True)
        return sum(piece.size for piece, new, old in pairs if new == old) >= 0.9 * self._block.size

    def _quantise(self, state: BlockState, means: StepMeans, words: Words, header: BlockHeader) -> list[bytes]:
        """Fold a point in steps, against its own reconstruction, so that errors do not add up; gives what is apart."""
        form, folded = self._block.form, self._folded
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
        header.exact = sum(map(len, missed))
        return [compress(np.concatenate(listed), self._preset.level) for listed in (missed, apart)]

    @property
    def _folded(self) -> Words:
        """Memory for the folded residuals of this block."""
        return self._scratch.array("folded", self._block.size, self._block.form.word)
