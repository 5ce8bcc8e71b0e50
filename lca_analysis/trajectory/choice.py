"""The encoder's choice of a predictor for every tensor; any choice decodes, only sizes differ."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.prediction import (
    MOMENTUM,
    NONE,
    STEP,
    momentum_prediction,
    subnormals_work,
    to_values,
)
from lca_analysis.trajectory.state import BlockState
from lca_analysis.trajectory.words import WordFormat, Words, from_ordered, to_ordered, zigzag

SAMPLE = 1024  # elements of a tensor that the choice looks at


def choose_predictors(state: BlockState, ordered: Words, last: list[float]) -> tuple[list[int], list[float]]:
    """Cheapest predictor and momentum of every piece, on a sample; `last` are the momenta of the frame before."""
    form = state.block.form
    floats = form.kind != "integer" and subnormals_work()
    predictors, momenta = [], []
    for piece, recent in zip(state.block.pieces, last, strict=True):
        stride = max(1, piece.size // SAMPLE) | 1  # odd, so as not to look at one column of a matrix only
        now = ordered[piece.place][::stride]
        values, before, last_ordered, ordered_before = state.steps(piece.place, stride)
        costs = {
            (NONE, recent): _cost(now, last_ordered, form),
            (STEP, recent): _cost(now, last_ordered + (last_ordered - ordered_before), form),
        }
        if floats:
            for momentum in _candidates(now, values, before, recent, form):
                words = momentum_prediction(values, before, [(slice(None), momentum)], form)
                costs[MOMENTUM, momentum] = _cost(now, to_ordered(words, form), form)
        predictor, momentum = min(costs, key=costs.__getitem__)
        predictors.append(predictor)
        momenta.append(momentum)
    return predictors, momenta


def _cost(now: Words, predicted: Words, form: WordFormat) -> float:
    """Bits that the residuals need, roughly."""
    return float(np.log2(zigzag(now - predicted, form).astype(np.float64) + 1.0).sum())


def _candidates(now: Words, values: NDArray[Any], before: NDArray[Any], recent: float, form: WordFormat) -> set[float]:
    """Momenta worth trying: the last one, and the mode of the ratio of this step to the one before."""
    mode = momentum_mode(to_values(from_ordered(now, form), form), values, before)
    return {recent} if mode is None else {recent, mode, round(mode, 3)}


def momentum_mode(now: NDArray[Any], values: NDArray[Any], before: NDArray[Any]) -> float | None:
    """Mode of (w − v) / (v − u) over the elements with the larger steps; None without any.

    A parameter whose gradient is zero moves by momentum alone, so its ratio is the optimizer's momentum; the
    others scatter. The mode is the median of the narrowest window that holds a sixteenth of the ratios.
    """
    with np.errstate(all="ignore"):
        step = values.astype(np.float64) - before
        ratio = (now.astype(np.float64) - values) / step
    large = np.abs(step)
    usable = np.isfinite(ratio) & (np.abs(ratio) < 2.0)
    usable &= large >= np.median(large[usable]) if usable.any() else False
    ratios = np.sort(ratio[usable])
    if ratios.size < 4:
        return None
    width = max(2, ratios.size // 16)
    start = int(np.argmin(ratios[width:] - ratios[:-width]))
    return float(ratios[start + width // 2])
