"""Coding with a bounded error: residuals in steps of a power of two that suits how much each parameter moves.

For a parameter whose reconstruction moved by a running mean m per point, and a fraction f, a step is the largest power
of two not above 2 f m, so that half of it is at most f m. It is counted in units in the last place of the prediction,
which makes reconstruction integer arithmetic. What would miss the bound f m (a number that crosses into a coarser
binade, or is no finite number) is listed apart and exact. Biases and other one-dimensional tensors, small tensors,
buffers and integers are exact, as is everything that has not moved since the keyframe.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.prediction import exponent_mask, to_values
from lca_analysis.trajectory.words import WordFormat, Words, from_ordered, parts

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
        self.mean = np.zeros(block.size)  # stays 0, which means exact, outside of these places

    def forget(self) -> None:
        """Begin anew, so that the next point is exact."""
        self.mean.fill(0.0)

    def advance(self, words: Words, before: Words) -> None:
        """Take in the step between two reconstructed points."""
        with np.errstate(all="ignore"):
            for place in self._places:
                for part in parts(place, self.mean.itemsize):
                    self._advance(part, to_values(words[part], self._form), to_values(before[part], self._form))

    def _advance(self, part: slice, values: NDArray[Any], before: NDArray[Any]) -> None:
        """Take in a part of a step."""
        mean, step = self.mean[part], values.astype(np.float64)
        step -= before
        np.abs(step, out=step)
        fresh = mean == 0
        mean *= _DECAY
        mean += step * _FRESH
        np.copyto(mean, step, where=fresh)

    def shifts(self, predicted: Words, part: slice) -> Words:
        """Binary logarithm of each step in units in the last place of the predicted ordered word; 0 where exact."""
        form, bits = self._form, 8 * self._form.word.itemsize
        mantissa = _MANTISSA[form.storage.name if form.kind == "float" else "bfloat16"]
        bias = (1 << (bits - 2 - mantissa)) - 1
        words = from_ordered(predicted, form)
        exponent = ((words & exponent_mask(form)) >> form.word.type(mantissa)).astype(np.int64)
        width = self.mean[part] * (2.0 * self._fraction)
        usable = (width > 0) & (width < np.inf) & (exponent <= 2 * bias)
        shift = _floor_log2(width, form) - (np.maximum(exponent, 1) - bias - mantissa)
        return np.where(usable, np.clip(shift, 0, bits - 2), 0).astype(form.word)

    def misses(self, ordered: Words, wanted: Words, part: slice) -> NDArray[np.intp]:
        """Places in a part where a reconstruction is further than the bound from what was wanted."""
        form = self._form
        with np.errstate(all="ignore"):
            error = to_values(from_ordered(ordered, form), form).astype(np.float64)
            error -= to_values(from_ordered(wanted, form), form)
            np.abs(error, out=error)
            far = ~(error <= self.mean[part] * self._fraction)
        return np.flatnonzero(far & (ordered != wanted))


def _floor_log2(width: NDArray[np.float64], form: WordFormat) -> NDArray[np.int64]:
    """Exponents of positive numbers; below 2^-1022 only float64 needs the true one: narrower types are exact there."""
    if form.word.itemsize == 8:
        return np.frexp(width)[1].astype(np.int64) - 1
    return (width.view(np.int64) >> 52) - 1023


def quantise(residuals: Words, shifts: Words, form: WordFormat) -> Words:
    """Residuals (wrapped differences of ordered words) in whole steps, rounded to nearest."""
    half = (form.word.type(1) << shifts) >> form.word.type(1)
    return ((residuals + half).view(form.signed) >> shifts.view(form.signed)).view(form.word)
