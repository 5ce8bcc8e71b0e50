"""What encoder and decoder both know of a block: its last two points and how large residuals were."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.bounded import StepMeans
from lca_analysis.trajectory.entropy import sort_by_class
from lca_analysis.trajectory.prediction import (
    MOMENTUM,
    STEP,
    exponent_mask,
    momentum_prediction,
    to_values,
)
from lca_analysis.trajectory.words import Words, from_ordered, to_ordered

# Class of a running mean by its float32 exponent: class 0 below 2^-3, then one class per octave, 18 in all.
_FIRST_EXPONENT = 127 - 3
CLASSES = 18
_CLASS_OF_EXPONENT = np.clip(np.arange(256) - _FIRST_EXPONENT + 1, 0, CLASSES - 1).astype(np.uint8)
_DECAY, _FRESH = np.float32(0.8125), np.float32(0.1875)  # 13/16 and 3/16, exact


class Recent(NamedTuple):
    """Some elements of the last two points: as numbers, and as words in numeric order."""

    values: NDArray[Any]
    values_before: NDArray[Any]
    ordered: Words
    ordered_before: Words


class BlockState:
    """The last two points of a block, and the running mean of its folded residuals.

    Attributes
    ----------
    words, ordered : ndarray[size] unsigned
        The last point, as stored and in numeric order.
    order : ndarray[size] intp
        Places of the words sorted by class, as of the last `sort`.
    ends : list of int
        Ends of the streams in that order.
    means : StepMeans or None
        What a bounded-error recording quantises by.
    """

    def __init__(self, block: Block, words: Words, fraction: float = 0.0) -> None:
        self.block = block
        self.words = words
        self.ordered = to_ordered(words, block.form)
        self._ordered_before = self.ordered
        self._values = to_values(words, block.form)
        self._values_before = self._values
        self.means = StepMeans(block, fraction) if fraction else None
        self._mean = np.zeros(block.size, dtype=np.float32)
        self.order: NDArray[np.intp] = np.arange(block.size)
        self.ends = [block.size]

    def predict(self, predictors: list[int], momenta: list[float]) -> Words:
        """Predicted ordered words, by one predictor and one momentum per piece."""
        pieces = self.block.pieces
        moving = [(piece.place, m) for piece, p, m in zip(pieces, predictors, momenta, strict=True) if p == MOMENTUM]
        predicted = self.ordered.copy() if len(moving) < len(pieces) else self.ordered
        if moving:
            predicted = self._predict_by_momentum(moving, predicted)
        for piece, predictor in zip(pieces, predictors, strict=True):
            if predictor == STEP:
                self._predict_by_step(piece.place, predicted)
        return predicted

    def _predict_by_momentum(self, moving: list[tuple[slice, float]], otherwise: Words) -> Words:
        """Momentum prediction where it is finite and asked for, `otherwise` elsewhere."""
        form = self.block.form
        words = momentum_prediction(self._values, self._values_before, moving, form)
        infinity = exponent_mask(form)
        finite = (words & infinity) != infinity
        predicted = to_ordered(words, form)
        if len(moving) < len(self.block.pieces):
            asked = np.zeros(self.block.size, dtype=bool)
            for place, _ in moving:
                asked[place] = True
            finite &= asked
        if not finite.all():
            np.copyto(predicted, otherwise, where=~finite)
        return predicted

    def _predict_by_step(self, place: slice, predicted: Words) -> None:
        """The same integer step as last time; exact on any machine, in any rounding mode."""
        predicted[place] = self.ordered[place]
        predicted[place] += self.ordered[place]
        predicted[place] -= self._ordered_before[place]

    def sort(self) -> None:
        """Sort the words anew by the exponent of their running mean residual; the order then stays."""
        exponent = self._mean.view(np.uint32) >> np.uint32(23)
        self.order, self.ends = sort_by_class(_CLASS_OF_EXPONENT.take(exponent), CLASSES)

    def advance(self, ordered: Words, folded: Words, words: Words | None = None) -> None:
        """Move on to the next point, whose folded residuals were `folded`."""
        form = self.block.form
        self._mean *= _DECAY
        fresh = folded.astype(np.float32)
        fresh *= _FRESH
        self._mean += fresh
        self._ordered_before, self.ordered = self.ordered, ordered
        self.words = from_ordered(ordered, form) if words is None else words
        self._values_before, self._values = self._values, to_values(self.words, form)
        if self.means is not None:
            self.means.advance(self._values, self._values_before)

    def sample(self, indices: NDArray[np.intp]) -> Recent:
        """Take some elements of the last two points."""
        return Recent(
            self._values.take(indices),
            self._values_before.take(indices),
            self.ordered.take(indices),
            self._ordered_before.take(indices),
        )
