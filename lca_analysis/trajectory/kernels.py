"""Inner loops of the codec, compiled: one pass over a block where numpy would take a dozen.

Those for residuals are for float32 and float64, and do what `residuals` says in numpy, to the bit. `ends`, `predictors`
and `factors` are those of `residuals.Spans`; `top` is the word in which only the sign bit is set, and tells the
compiler the width.
"""

from typing import Any

import numpy as np

from lca_analysis.trajectory.compiled import bits_as, inner, kernel


@inner
def to_ordered(word: Any, top: Any) -> Any:
    """Map the word of a float so that unsigned order is numeric order."""
    as_word = type(top)
    return as_word(~word) if word & top else as_word(word | top)


@inner
def _from_ordered(ordered: Any, top: Any) -> Any:
    """Undo `to_ordered`."""
    as_word = type(top)
    return as_word(ordered ^ top) if ordered & top else as_word(~ordered)


@inner
def _predict(last: Any, before: Any, predictor: int, factor: Any, infinity: Any, top: Any) -> Any:
    """Predict an ordered word by no, the step's, or the momentum predictor (0, 1, 2)."""
    as_word = type(top)
    if predictor == 1:
        ordered = to_ordered(last, top)
        return as_word(ordered + as_word(ordered - to_ordered(before, top)))
    if predictor == 2:
        value = bits_as(last, factor)
        guess = bits_as(value + (bits_as(before, factor) - value) * factor, top)
        if guess & infinity != infinity:
            return to_ordered(guess, top)
    return to_ordered(last, top)


@inner
def fold_word(word: Any, last: Any, before: Any, predictor: int, factor: Any, infinity: Any, top: Any) -> Any:
    """Fold the residual of a word."""
    as_word = type(top)
    difference = as_word(to_ordered(word, top) - _predict(last, before, predictor, factor, infinity, top))
    twice = as_word(difference + difference)
    return as_word(~twice) if difference & top else twice


@inner
def fold_span(
    words: Any, last: Any, before: Any, predictor: int, factor: Any, infinity: Any, top: Any, folded: Any
) -> None:
    """Fold words that are predicted alike, and put them in the place of the point before the last."""
    for i in range(words.size):
        folded[i] = fold_word(words[i], last[i], before[i], predictor, factor, infinity, top)
        before[i] = words[i]


@inner
def unfold_span(folded: Any, last: Any, before: Any, predictor: int, factor: Any, infinity: Any, top: Any) -> None:
    """Undo the folding of words that are predicted alike."""
    as_word = type(top)
    for i in range(folded.size):
        guess = _predict(last[i], before[i], predictor, factor, infinity, top)
        half = as_word(folded[i] >> as_word(1))
        difference = as_word(~half) if folded[i] & as_word(1) else half
        before[i] = _from_ordered(as_word(difference + guess), top)


@kernel
def fold(words: Any, last: Any, before: Any, ends: Any, predictors: Any, factors: Any, infinity: Any, top: Any,
         folded: Any) -> None:  # fmt: skip
    """Fold the residuals of words by spans, and put the words in the place of the point before the last."""
    begin = 0
    for span in range(ends.size):
        end = ends[span]
        fold_span(words[begin:end], last[begin:end], before[begin:end], predictors[span], factors[span], infinity, top,
                  folded[begin:end])  # fmt: skip
        begin = end


@kernel
def unfold(folded: Any, last: Any, before: Any, ends: Any, predictors: Any, factors: Any, infinity: Any,
           top: Any) -> None:  # fmt: skip
    """Undo `fold`: put the words in the place of the point before the last."""
    begin = 0
    for span in range(ends.size):
        end = ends[span]
        unfold_span(folded[begin:end], last[begin:end], before[begin:end], predictors[span], factors[span], infinity,
                    top)  # fmt: skip
        begin = end


@kernel
def sort_by_class(words: Any, classes: Any, starts: Any, out: Any) -> None:
    """Sort stably by class; `starts` says where each class begins, and is used up."""
    for i in range(words.size):
        c = classes[i]
        out[starts[c]] = words[i]
        starts[c] += 1


@kernel
def unsort(words: Any, classes: Any, starts: Any, out: Any) -> None:
    """Undo `sort_by_class`."""
    for i in range(words.size):
        c = classes[i]
        out[i] = words[starts[c]]
        starts[c] += 1


@kernel
def update_means(means: Any, folded: Any) -> None:
    """Take folded residuals into their running means, float32."""
    for i in range(folded.size):
        means[i] = means[i] * np.float32(0.8125) + np.float32(folded[i]) * np.float32(0.1875)
