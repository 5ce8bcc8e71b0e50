"""Residuals of a block's words against their prediction, folded; and the words back from them.

Compiled kernels do it for float32 and float64; `fold_plainly` and `unfold_plainly`, in numpy, do it for all else, and
are what the kernels are tested against. Both put the new words in the place of the point before the last, which nothing
needs afterwards, so that a block takes memory for two points and no more.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.prediction import exponent_mask, predict
from lca_analysis.trajectory.state import BlockState
from lca_analysis.trajectory.words import WordFormat, Words, from_ordered, parts, to_ordered, unzigzag, zigzag


def is_compiled(form: WordFormat) -> bool:
    """Whether kernels take this kind of word."""
    return form.kind == "float" and form.word.itemsize >= 4


def prepare(form: WordFormat) -> None:
    """Compile, or load, the kernels for one kind of word, rather than at the first point."""
    if is_compiled(form):
        from lca_analysis.trajectory import kernels  # numba takes half a second, and only what codes a run needs it
        from lca_analysis.trajectory.compiled import first_call

        none: Words = np.empty(0, form.word)
        first_call(kernels.fold, none, none, none, *no_spans(form), none)
        first_call(kernels.unfold, none, none, none, *no_spans(form))


def fold(state: BlockState, words: Words, predictors: list[int], momenta: list[float], folded: Words) -> None:
    """Fold the residuals of a point that follows the state, and move on to it."""
    if is_compiled(state.block.form):
        from lca_analysis.trajectory import kernels

        kernels.fold(words, state.words, state.before, *kernel_spans(state, predictors, momenta), folded)
    else:
        fold_plainly(state, words, predictors, momenta, folded)
    state.advance()


def unfold(state: BlockState, predictors: list[int], momenta: list[float], folded: Words) -> None:
    """Undo `fold`, but for moving on."""
    if is_compiled(state.block.form):
        from lca_analysis.trajectory import kernels

        kernels.unfold(folded, state.words, state.before, *kernel_spans(state, predictors, momenta))
    else:
        unfold_plainly(state, predictors, momenta, folded)


class Spans(NamedTuple):
    """How stretches of a block are predicted, as the kernels take it: ends, predictors, and −m in the tensor's type."""

    ends: NDArray[np.int64]
    predictors: NDArray[np.int64]
    factors: NDArray[Any]
    infinity: Any
    top: Any


def no_spans(form: WordFormat) -> Spans:
    """Give the spans of nothing."""
    none = np.empty(0, np.int64)
    return Spans(none, none, np.empty(0, form.storage), exponent_mask(form), form.top_bit)


def kernel_spans(state: BlockState, predictors: list[int], momenta: list[float]) -> Spans:
    """Put a choice of predictors in arrays, anew only when it changes."""
    spans, form = state.spans(predictors, momenta), state.block.form
    if state.arrays is None or state.arrays[0] is not spans:
        ends, codes, used = zip(*((place.stop, code, momentum) for place, code, momentum in spans), strict=True)
        with np.errstate(over="ignore"):  # a damaged frame may name any momentum
            factors = np.negative(np.array(used), dtype=form.storage)
        found = no_spans(form)._replace(ends=np.array(ends), predictors=np.array(codes), factors=factors)
        state.arrays = spans, found
    return cast(Spans, state.arrays[1])


def predictions(state: BlockState, predictors: list[int], momenta: list[float]) -> Iterator[tuple[slice, Words]]:
    """Predict ordered words part by part, in numpy; a part may be overwritten when it was predicted."""
    form = state.block.form
    for place, predictor, momentum in state.spans(predictors, momenta):
        for part in parts(place, form.word.itemsize):
            yield part, predict(state.words[part], state.before[part], predictor, momentum, form)


def fold_plainly(state: BlockState, words: Words, predictors: list[int], momenta: list[float], folded: Words) -> None:
    """Do in numpy what the kernel does."""
    form = state.block.form
    for part, guess in predictions(state, predictors, momenta):
        folded[part] = zigzag(to_ordered(words[part], form) - guess, form)
        state.before[part] = words[part]


def unfold_plainly(state: BlockState, predictors: list[int], momenta: list[float], folded: Words) -> None:
    """Do in numpy what the kernel does."""
    form = state.block.form
    for part, guess in predictions(state, predictors, momenta):
        state.before[part] = from_ordered(unzigzag(folded[part], form) + guess, form)
