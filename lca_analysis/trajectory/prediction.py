"""What the coder expects a word to be, from the two points before.

Encoder and decoder must agree to the bit on every machine. So each prediction is a fixed sequence of
single IEEE 754 operations, rounded to nearest, one numpy call each: no fused multiply-add, no sum whose
order could vary, no result of an operation on NaN (its payload is the machine's own choice).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.words import (
    WordFormat,
    Words,
    bfloat16_to_float32,
    float32_to_bfloat16,
    from_words,
    to_ordered,
)

NONE, STEP, MOMENTUM = 0, 1, 2  # predictor codes in frame headers


def to_values(words: Words, form: WordFormat) -> NDArray[Any]:
    """Words as numbers that can be computed with; bfloat16 as float32."""
    if form.kind == "bfloat16":
        return bfloat16_to_float32(words)
    return from_words(words, form)


def momentum_prediction(values: NDArray[Any], before: NDArray[Any], momentum: Any, form: WordFormat) -> Words:
    """Words of w + m (w − v), with one m or an m for each element; where that is not finite, arbitrary words.

    Computed as w + (v − w)(−m): the same number, and where w = v it is w itself, −0 included.
    """
    with np.errstate(all="ignore"):
        predicted = before - values
        predicted *= np.negative(momentum, dtype=predicted.dtype)
        predicted += values
    if form.kind == "bfloat16":
        return float32_to_bfloat16(predicted)
    return predicted.view(form.word)


def predict(words: Words, before: Words, predictor: int, momentum: Any, form: WordFormat) -> Words:
    """Predict the ordered words that follow two points, by one predictor, with one momentum or one for each."""
    ordered = to_ordered(words, form)
    if predictor == STEP:  # the same integer step as last time: exact on any machine, in any rounding mode
        return ordered + (ordered - to_ordered(before, form))
    if predictor != MOMENTUM:
        return ordered
    guess = momentum_prediction(to_values(words, form), to_values(before, form), momentum, form)
    infinity = exponent_mask(form)
    return np.where((guess & infinity) == infinity, ordered, to_ordered(guess, form))


def exponent_mask(form: WordFormat) -> Any:
    """The word whose exponent bits are all set: the bits of infinity."""
    if form.kind == "bfloat16":
        return np.uint16(0x7F80)
    return form.storage.type(np.inf).view(form.word)


_SMALL, _ONE, _SMALL_NORMAL, _QUARTER = (np.float32(number) for number in (1e-45, 1.0, 1.2e-38, 0.25))


def subnormals_work() -> bool:
    """Whether this thread computes with subnormal numbers, as IEEE 754 asks, rather than flush them."""
    return bool(_SMALL * _ONE > 0 and _SMALL_NORMAL * _QUARTER > 0)
