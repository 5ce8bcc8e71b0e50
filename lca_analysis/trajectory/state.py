"""What encoder and decoder both know of a block: its last two points and how large residuals were."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.bounded import StepMeans
from lca_analysis.trajectory.entropy import sort_by_class
from lca_analysis.trajectory.manifest import FORMAT_VERSION
from lca_analysis.trajectory.prediction import (
    MOMENTUM,
    STEP,
    all_finite,
    exponent_mask,
    momentum_prediction,
    to_values,
)
from lca_analysis.trajectory.words import Words, from_ordered, in_parts, keep_freed_memory, parts, to_ordered

# Class of a running mean by its float32 exponent: class 0 below 2^-3, then one class per octave; how many there are
# is part of the format. With 18 all means above 2^13 share one; 72 reach beyond the largest 64-bit residual.
_FIRST_EXPONENT = 127 - 3
CLASSES = {2: 18, 3: 72}  # by format version
_DECAY, _FRESH = np.float32(0.8125), np.float32(0.1875)  # 13/16 and 3/16, exact


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
    """The last two points of a block, and the running mean of its folded residuals (only where it `sorts` by it).

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

    def __init__(self, block: Block, words: Words, coding: Coding, sorts: bool = True) -> None:
        keep_freed_memory()
        self.block = block
        self.words = words
        self.ordered = in_parts(partial(to_ordered, form=block.form), words)
        self._ordered_before = self.ordered
        self._point = 0
        self._memory: dict[tuple[str, int], Words] = {}
        self._values = to_values(words, block.form)
        self._values_before = self._values
        rounded = coding.fraction > 0 and any(piece.quantised for piece in block.pieces)
        self.means = StepMeans(block, coding.fraction) if rounded else None
        self._sorts = sorts
        self._classes = CLASSES[coding.version]
        self._class_of_exponent = np.clip(np.arange(256) - _FIRST_EXPONENT + 1, 0, self._classes - 1).astype(np.uint8)
        self._mean = np.zeros(block.size, dtype=np.float32)
        self.order: NDArray[np.intp] = np.arange(block.size)
        self.ends = [block.size]

    def memory(self, use: str, points: int = 1) -> Words:
        """Memory for the words of a block, used again after so many points: fresh memory costs more than its filling.

        What becomes a part of this state is needed for three points: that in the making, and the last two.
        """
        key = use, self._point % points
        if key not in self._memory:
            self._memory[key] = np.empty_like(self.ordered)
        return self._memory[key]

    def predictions(self, predictors: list[int], momenta: list[float]) -> Iterator[tuple[slice, Words]]:
        """Predict ordered words part by part, by one predictor and one momentum per piece; not to be written to."""
        for place, predictor, momentum in _spans(self.block, predictors, momenta):
            for part in parts(place, self.ordered.itemsize):
                yield part, self._predict(part, predictor, momentum)

    def _predict(self, part: slice, predictor: int, momentum: float) -> Words:
        """Predict a part by one predictor."""
        ordered = self.ordered[part]
        if predictor == STEP:  # the same integer step as last time: exact on any machine, in any rounding mode
            return ordered + (ordered - self._ordered_before[part])
        if predictor != MOMENTUM:
            return ordered
        form = self.block.form
        words = momentum_prediction(self._values[part], self._values_before[part], momentum, form)
        predicted = to_ordered(words, form)
        if not all_finite(predicted, form):
            infinity = exponent_mask(form)
            np.copyto(predicted, ordered, where=(words & infinity) == infinity)
        return predicted

    def sort(self) -> None:
        """Sort the words anew by the exponent of their running mean residual; the order then stays."""
        exponent = self._mean.view(np.uint32) >> np.uint32(23)
        self.order, self.ends = sort_by_class(self._class_of_exponent.take(exponent), self._classes)

    def advance(self, ordered: Words, folded: Words, words: Words | None = None) -> None:
        """Move on to the next point, whose folded residuals were `folded`."""
        if self._sorts:
            self._update_mean(folded)
        form = self.block.form
        self._ordered_before, self.ordered = self.ordered, ordered
        if words is None:
            words = in_parts(partial(from_ordered, form=form), ordered, out=self.memory("words", points=3))
        self.words = words
        self._values_before, self._values = self._values, to_values(self.words, form)
        if self.means is not None:
            self.means.advance(self._values, self._values_before)
        self._point += 1

    def _update_mean(self, folded: Words) -> None:
        """Take the folded residuals into their running mean."""
        for part in parts(slice(0, folded.size), folded.itemsize):
            mean, fresh = self._mean[part], folded[part].astype(np.float32)
            mean *= _DECAY
            fresh *= _FRESH
            mean += fresh

    def sample(self, indices: NDArray[np.intp]) -> Recent:
        """Take some elements of the last two points."""
        return Recent(
            self._values.take(indices),
            self._values_before.take(indices),
            self.ordered.take(indices),
            self._ordered_before.take(indices),
        )


def _spans(block: Block, predictors: list[int], momenta: list[float]) -> list[tuple[slice, int, float]]:
    """Join neighbouring pieces that are predicted alike."""
    spans: list[tuple[slice, int, float]] = []
    for piece, predictor, momentum in zip(block.pieces, predictors, momenta, strict=True):
        used = momentum if predictor == MOMENTUM else 0.0
        if spans and spans[-1][1:] == (predictor, used):
            spans[-1] = (slice(spans[-1][0].start, piece.place.stop), predictor, used)
        else:
            spans.append((piece.place, predictor, used))
    return spans
