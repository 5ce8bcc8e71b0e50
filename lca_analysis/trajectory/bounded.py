"""Coding with a bounded error: residuals in steps of a power of two that suits how much each parameter moves.

For a parameter whose reconstruction moved by a running mean m per point, and a fraction f, a step is the largest power
of two not above 2 f m, so that half of it is at most f m. It is counted in units in the last place of the prediction,
which makes reconstruction integer arithmetic. What would miss the bound f m (a number that crosses into a coarser
binade, or is no finite number) is listed apart and exact. Biases and other one-dimensional tensors, buffers and
integers are exact, as is everything that has not moved since the keyframe.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.prediction import exponent_mask, to_values
from lca_analysis.trajectory.words import WordFormat, Words, from_ordered

_DECAY, _FRESH = 0.75, 0.25  # slower means blur the signs of parameters that come to rest
_MANTISSA = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}


class StepMeans:
    """The running mean |step| of each parameter of a block's reconstruction; what encoder and decoder quantise by.

    The mean begins with the first step that is not zero, and takes a quarter of each later one; float64 throughout.
    """

    def __init__(self, block: Block, fraction: float) -> None:
        self._form = block.form
        self._fraction = fraction
        self._places = [piece.place for piece in block.pieces if piece.quantised]
        self.mean = np.zeros(block.size)

    def forget(self) -> None:
        """Begin anew, so that the next point is exact."""
        self.mean = np.zeros_like(self.mean)

    def advance(self, values: NDArray[Any], before: NDArray[Any]) -> None:
        """Take in the step between two reconstructed points."""
        with np.errstate(all="ignore"):
            for place in self._places:
                step = np.abs(values[place].astype(np.float64) - before[place])
                mean = self.mean[place]
                self.mean[place] = np.where(mean == 0, step, mean * _DECAY + step * _FRESH)

    def shifts(self, predicted: Words) -> Words:
        """Binary logarithm of each step in units in the last place of the predicted ordered word; 0 where exact."""
        form, bits = self._form, 8 * self._form.word.itemsize
        shifts: Words = np.zeros(predicted.size, form.word)
        mantissa = _MANTISSA[form.storage.name if form.kind == "float" else "bfloat16"]
        bias = (1 << (bits - 2 - mantissa)) - 1
        for place in self._places:
            words = from_ordered(predicted[place], form)
            exponent = ((words & exponent_mask(form)) >> form.word.type(mantissa)).astype(np.int64)
            width = self.mean[place] * (2.0 * self._fraction)
            usable = (width > 0) & (width < np.inf) & (exponent <= 2 * bias)
            power = np.frexp(np.where(usable, width, 1.0))[1].astype(np.int64) - 1
            shift = power - (np.maximum(exponent, 1) - bias - mantissa)
            shifts[place] = np.where(usable, np.clip(shift, 0, bits - 2), 0).astype(form.word)
        return shifts

    def misses(self, ordered: Words, wanted: Words) -> NDArray[np.intp]:
        """Places where a reconstruction is further than the bound from what was wanted."""
        form = self._form
        with np.errstate(all="ignore"):
            found = to_values(from_ordered(ordered, form), form).astype(np.float64)
            error = np.abs(found - to_values(from_ordered(wanted, form), form))
            near = error <= self.mean * self._fraction
        return np.flatnonzero(~near & (ordered != wanted))


def quantise(residuals: Words, shifts: Words, form: WordFormat) -> Words:
    """Residuals (wrapped differences of ordered words) in whole steps, rounded to nearest."""
    half = (form.word.type(1) << shifts) >> form.word.type(1)
    return ((residuals + half).view(form.signed) >> shifts.view(form.signed)).view(form.word)
