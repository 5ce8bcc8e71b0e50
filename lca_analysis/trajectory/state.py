"""What encoder and decoder both know of a block: its last two points."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.bounded import StepMeans
from lca_analysis.trajectory.manifest import FORMAT_VERSION
from lca_analysis.trajectory.prediction import MOMENTUM, to_values
from lca_analysis.trajectory.words import Words, to_ordered


class Coding(NamedTuple):
    """What all blocks of a run have in common: the format version, and the fraction of a bounded error (0: exact)."""

    version: int = FORMAT_VERSION
    fraction: float = 0.0


class Recent(NamedTuple):
    """Some elements of the last two points: as numbers, and as words in numeric order."""

    values: NDArray[Any]
    values_before: NDArray[Any]
    ordered: Words
    ordered_before: Words


class BlockState:
    """The last two points of a block; memory for two points, which may be given, is used over and over.

    Attributes
    ----------
    words, before : ndarray[size] unsigned
        The last point and the one before it, as stored; the same right behind a keyframe.
    means : StepMeans or None
        What a bounded-error recording quantises by.
    arrays : tuple or None
        The spans of the last choice of predictors, and the same as kernels take them.
    """

    def __init__(self, block: Block, coding: Coding, memory: tuple[Words, Words] | None = None) -> None:
        self.block = block
        if memory is None:
            memory = np.empty(block.size, block.form.word), np.empty(block.size, block.form.word)
        self.words: Words
        self.before: Words
        self.words, self.before = memory
        rounded = coding.fraction > 0 and any(piece.quantised for piece in block.pieces)
        self.means = StepMeans(block, coding.fraction) if rounded else None
        self._chosen: tuple[list[int], list[float]] = ([], [])
        self._spans: list[tuple[slice, int, float]] = []
        self.arrays: tuple[Any, Any] | None = None

    def restart(self) -> None:
        """Forget what was before `words`, a keyframe."""
        self.before[:] = self.words
        if self.means is not None:
            self.means.forget()

    def advance(self) -> None:
        """Move on to the point that was put in the place of the one before the last."""
        self.words, self.before = self.before, self.words

    def spans(self, predictors: list[int], momenta: list[float]) -> list[tuple[slice, int, float]]:
        """Join neighbouring pieces that are predicted alike; the same list as long as the choice is the same."""
        if self._chosen == (predictors, momenta):
            return self._spans
        spans: list[tuple[slice, int, float]] = []
        for piece, predictor, momentum in zip(self.block.pieces, predictors, momenta, strict=True):
            used = momentum if predictor == MOMENTUM else 0.0
            if spans and spans[-1][1:] == (predictor, used):
                spans[-1] = (slice(spans[-1][0].start, piece.place.stop), predictor, used)
            else:
                spans.append((piece.place, predictor, used))
        self._chosen, self._spans = (list(predictors), list(momenta)), spans
        return spans

    def sample(self, indices: NDArray[np.intp]) -> Recent:
        """Take some elements of the last two points."""
        form, words, before = self.block.form, self.words.take(indices), self.before.take(indices)
        return Recent(
            to_values(words, form), to_values(before, form), to_ordered(words, form), to_ordered(before, form)
        )
