"""Residuals of a block's words against their prediction, folded; and the words back from them.

Compiled kernels do it for float32 and float64; `fold_plainly` and `unfold_plainly`, in numpy, do it for all else, and
are what the kernels are tested against. Both put the new words in the place of the point before the last, which nothing
needs afterwards, so that a block takes memory for two points and no more.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

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
        first_call(kernels.fold, none, none, none, *_settings(form, 0, 0.0), none)
        first_call(kernels.unfold, none, none, none, *_settings(form, 0, 0.0))


def fold(state: BlockState, words: Words, predictors: list[int], momenta: list[float], folded: Words) -> None:
    """Fold the residuals of a point that follows the state, and move on to it."""
    compiled = is_compiled(state.block.form)
    for place, predictor, momentum in state.spans(predictors, momenta):
        (_fold_compiled if compiled else fold_plainly)(state, words, place, predictor, momentum, folded)
    state.advance()


def unfold(state: BlockState, predictors: list[int], momenta: list[float], folded: Words) -> None:
    """Undo `fold`, but for moving on."""
    compiled = is_compiled(state.block.form)
    for place, predictor, momentum in state.spans(predictors, momenta):
        (_unfold_compiled if compiled else unfold_plainly)(state, place, predictor, momentum, folded)


class Spans(NamedTuple):
    """How stretches of a block are predicted, as the kernels take it."""

    ends: NDArray[np.int64]
    predictors: NDArray[np.int64]
    factors: NDArray[Any]
    infinity: Any
    top: Any


def no_spans(form: WordFormat) -> Spans:
    """Give the spans of nothing."""
    none = np.empty(0, np.int64)
    return Spans(none, none, np.empty(0, form.storage), *_settings(form, 0, 0.0)[2:])


def kernel_spans(state: BlockState, predictors: list[int], momenta: list[float]) -> Spans:
    """Put a choice of predictors in arrays."""
    form = state.block.form
    spans = state.spans(predictors, momenta)
    ends, codes = [place.stop for place, _, _ in spans], [predictor for _, predictor, _ in spans]
    factors = [_settings(form, predictor, momentum)[1] for _, predictor, momentum in spans]
    return no_spans(form)._replace(
        ends=np.array(ends), predictors=np.array(codes), factors=np.array(factors, form.storage)
    )


def predictions(state: BlockState, predictors: list[int], momenta: list[float]) -> Iterator[tuple[slice, Words]]:
    """Predict ordered words part by part, in numpy; a part may be overwritten when it was predicted."""
    form = state.block.form
    for place, predictor, momentum in state.spans(predictors, momenta):
        for part in parts(place, form.word.itemsize):
            yield part, predict(state.words[part], state.before[part], predictor, momentum, form)


def fold_plainly(state: BlockState, words: Words, place: slice, predictor: int, momentum: float, folded: Words) -> None:
    """Fold a stretch in numpy."""
    form = state.block.form
    for part in parts(place, form.word.itemsize):
        guess = predict(state.words[part], state.before[part], predictor, momentum, form)
        folded[part] = zigzag(to_ordered(words[part], form) - guess, form)
        state.before[part] = words[part]


def unfold_plainly(state: BlockState, place: slice, predictor: int, momentum: float, folded: Words) -> None:
    """Unfold a stretch in numpy."""
    form = state.block.form
    for part in parts(place, form.word.itemsize):
        guess = predict(state.words[part], state.before[part], predictor, momentum, form)
        state.before[part] = from_ordered(unzigzag(folded[part], form) + guess, form)


def _fold_compiled(
    state: BlockState, words: Words, place: slice, predictor: int, momentum: float, folded: Words
) -> None:
    from lca_analysis.trajectory import kernels

    settings = _settings(state.block.form, predictor, momentum)
    kernels.fold(words[place], state.words[place], state.before[place], *settings, folded[place])


def _unfold_compiled(state: BlockState, place: slice, predictor: int, momentum: float, folded: Words) -> None:
    from lca_analysis.trajectory import kernels

    settings = _settings(state.block.form, predictor, momentum)
    kernels.unfold(folded[place], state.words[place], state.before[place], *settings)


def _settings(form: WordFormat, predictor: int, momentum: float) -> tuple[int, Any, Any, Any]:
    """Predictor, −m in the tensor's type, and the words that tell floats apart."""
    with np.errstate(over="ignore"):  # a damaged frame may name any momentum
        factor = np.negative(momentum, dtype=form.storage)
    return predictor, form.storage.type(factor), exponent_mask(form), form.top_bit
