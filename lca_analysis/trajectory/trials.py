"""What predictors would cost on a sample of a block: momenta worth trying, and bits.

Compiled kernels do it for float32 and float64; `try_out_plainly`, in numpy, does it for all else, and is what the
kernels are tested against.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.prediction import MOMENTUM, exponent_mask, predict, subnormals_work, to_values
from lca_analysis.trajectory.residuals import is_compiled
from lca_analysis.trajectory.state import BlockState
from lca_analysis.trajectory.words import WordFormat, Words, to_ordered, zigzag

SHARP = 4096.0  # units in the last place that a step must have for a sharp ratio, in dtypes that are that fine
MOST = 6  # candidates: no prediction, the last step, and with a momentum the last ones and three more
Tried = tuple[NDArray[np.float64], NDArray[np.float64]]


class Sample(NamedTuple):
    """Places of a block, piece by piece, and where the places of each piece end."""

    indices: NDArray[np.uint32]
    ends: NDArray[np.int64]


def prepare(form: WordFormat) -> None:
    """Compile, or load, the kernel for one kind of word."""
    if is_compiled(form):
        from lca_analysis.trajectory import trial_kernels as kernels
        from lca_analysis.trajectory.compiled import first_call

        none, sample = np.empty(0, form.word), Sample(np.empty(0, np.uint32), np.empty(0, np.int64))
        first_call(kernels.try_out, none, none, none, *sample, *_arguments(np.empty(0), 0, form))


def try_out(state: BlockState, words: Words, sample: Sample, momenta: NDArray[np.float64], turn: int) -> Tried:
    """Try predictors for a point that follows the state.

    Parameters
    ----------
    state : BlockState
        The last two points.
    words : ndarray[size] unsigned
        The point.
    sample : Sample
        Where to look.
    momenta : ndarray[pieces] float64
        The last choice.
    turn : int
        The piece whose own momentum is looked for.

    Returns
    -------
    tuple of ndarray[rows, pieces] float64
        Momenta, and what an element costs in bits, roughly. The rows are the predictors NONE, STEP, and MOMENTUM with
        the last momenta, the block's mode, plain and rounded, and that of the one piece alone.
    """
    form = state.block.form
    if not is_compiled(form) or not subnormals_work():
        return try_out_plainly(state, words, sample, momenta, turn)
    from lca_analysis.trajectory import trial_kernels as kernels

    arguments = _arguments(momenta, turn, form)
    rows = kernels.try_out(words, state.words, state.before, *sample, *arguments)
    return arguments[-2][:rows], arguments[-1][:rows]


def _arguments(momenta: NDArray[np.float64], turn: int, form: WordFormat) -> tuple[Any, ...]:
    """What the kernel takes behind the sample."""
    tried, costs = (np.empty((MOST, len(momenta))) for _ in range(2))
    return momenta, turn, form.storage.type(0), exponent_mask(form), form.top_bit, tried, costs


def try_out_plainly(state: BlockState, words: Words, sample: Sample, momenta: NDArray[np.float64], turn: int) -> Tried:
    """Do in numpy what the kernel does."""
    form, counts = state.block.form, np.diff(sample.ends, prepend=0)
    now, last, before = (point.take(sample.indices) for point in (words, state.words, state.before))
    tried = [momenta, momenta]
    if form.kind != "integer" and subnormals_work():
        tried += _candidates((now, last, before), sample.ends, momenta, turn, form)
    costs, ordered = [], to_ordered(now, form)
    for row, used in enumerate(tried):
        guess = predict(last, before, min(row, MOMENTUM), np.repeat(used, counts), form)
        logarithms = _logarithms(zigzag(ordered - guess, form))
        sums = np.add.reduceat(logarithms, sample.ends - counts, dtype=np.int64)
        costs.append(sums / counts / 2**23 - 127)
    return np.array(tried), np.array(costs)


def _logarithms(folded: Words) -> NDArray[np.int32]:
    """Binary logarithms of f + 1, roughly, in units of 2^-23, and 127 too many: what the bits of a float32 are."""
    return (folded.astype(np.float32) + np.float32(1)).view(np.int32)


def _candidates(
    points: tuple[Words, Words, Words],
    ends: NDArray[np.int64],
    momenta: NDArray[np.float64],
    turn: int,
    form: WordFormat,
) -> list[NDArray[np.float64]]:
    """Momenta worth trying."""
    candidates = [momenta]
    mode = momentum_mode(*points, form)
    if mode is not None:
        candidates += [np.full(len(ends), mode), np.full(len(ends), np.rint(1000 * mode) / 1000)]
    if len(ends) > 1:
        place = slice(ends[turn - 1] if turn else 0, ends[turn])
        now, last, before = (point[place] for point in points)
        own = momentum_mode(now, last, before, form)
        if own is not None:
            candidates.append(np.where(np.arange(len(ends)) == turn, own, momenta))
    return candidates


def momentum_mode(now: Words, last: Words, before: Words, form: WordFormat) -> float | None:
    """Mode of (w − v) / (v − u) over the elements whose last step v − u is sharp; None without any.

    A parameter whose gradient is zero moves by momentum alone, so its ratio is the optimizer's momentum; the
    others scatter. The mode is the median of the narrowest window that holds a sixteenth of the ratios. A step of
    few units in the last place has a ratio rounded to almost anything, and does not count.
    """
    with np.errstate(all="ignore"):
        values, recent, older = (to_values(point, form).astype(np.float64) for point in (now, last, before))
        ratio = (values - recent) / (recent - older)
        usable = np.abs(ratio) < 2.0  # neither NaN nor infinite
    ends = to_ordered(last, form), to_ordered(before, form)
    units = (np.maximum(*ends) - np.minimum(*ends)).astype(np.float64)
    usable &= units >= min(SHARP, np.median(units[usable])) if usable.any() else False
    ratios = np.sort(ratio[usable])
    if ratios.size < 4:
        return None
    width = max(2, ratios.size // 16)
    start = int(np.argmin(ratios[width:] - ratios[:-width]))
    return float(ratios[start + width // 2]) + 0.0  # never −0
