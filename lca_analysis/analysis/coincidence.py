"""A test of whether layers share their moments of learning."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import isqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lca_analysis.analysis.peaks import deepest_of_rows, remove_others

Whole = NDArray[np.int64]
Reals = NDArray[np.float64]

MONTE_CARLO = 9999
"""Number of random sets of shifts, where there are too many to enumerate."""

RESIDUAL_MONTE_CARLO = 999
"""Number of random sets of shifts where each needs its own regression."""

JITTER = 25
"""Greatest shift, in recorded steps, of the null that keeps the course of training."""

CLOSE = 16
"""Ties between equal counts are broken by how many moments nearly coincide, up to so many iterations apart."""

_MOST_ENUMERATED = 500_000
_BITS = 32


@dataclass(frozen=True)
class Coincidence:
    """A count of shared moments of learning and its test.

    Attributes
    ----------
    observed : int
        Pairs of layers that share a moment, summed over moments.
    expected, deviation : float
        Mean and standard deviation under the null.
    low, high : float
        Interval of the null's central 95 %.
    p : float
        p-value, never 0.
    exact : bool
        Whether all sets of shifts were enumerated; a random sample of them otherwise.
    tail_p : float
        Approximation of p by a Pearson type III tail with the null's mean, variance and skewness.
    draws : int
        Sets of shifts looked at.
    """

    observed: int
    expected: float
    deviation: float
    low: float
    high: float
    p: float
    exact: bool
    tail_p: float
    draws: int


def local_reach(length: int) -> int:
    """Choose the reach of local shifts: a fiftieth of the run, 3 to `JITTER` steps.

    Longer ones spread the moments of a run that learns early beyond where it learns: shifts of ± 25 steps reject a
    true null in an eighth of such runs of 500 iterations.
    """
    return max(3, min(JITTER, length // 50))


def shared_scores(peaks: list[Whole], length: int, tolerance: int = 0) -> Whole:
    """Count the moments that two layers share, for every shift of the second on the ring of iterations.

    Parameters
    ----------
    peaks : list of ndarray[≤ 20] int64
        Moments of each of L layers.
    length : int
        Iterations T of the ring.
    tolerance : int
        Two moments are shared when they lie at most so many iterations apart.

    Returns
    -------
    ndarray[L (L − 1) / 2, T] int64
        Pairs in the order of `itertools.combinations`; at [(a, b), s] the score when b is shifted later by s, a by 0:
        in its upper bits the shared moments (`counts_of`); in its lower ones the closeness of those that are not,
        each `CLOSE` + tolerance less its distance. Without it p-values come in few, large steps.
    """
    pairs = list(combinations(peaks, 2))
    apart = np.zeros((len(pairs), length), np.int64)
    for row, (a, b) in zip(apart, pairs, strict=True):
        row += np.bincount((a[:, None] - b).ravel() % length, minlength=length)
    count = _spread(apart, lambda distance: int(distance <= tolerance))
    return (count << _BITS) + _spread(apart, lambda distance: max(CLOSE + tolerance - distance, 0))


def counts_of(scores: Whole) -> Whole:
    """Read the shared moments out of scores, or out of sums of scores."""
    return scores >> _BITS


def _spread(apart: Whole, weight: Callable[[int], int]) -> Whole:
    """Sum over the distances on the ring, each weighted."""
    length, total = apart.shape[1], np.zeros_like(apart)
    for offset in range(length):
        value = weight(min(offset, length - offset))
        if value:
            total += value * np.roll(apart, offset, axis=1)
    return total


def coincidence_test(scores: Whole, rng: np.random.Generator, shifts: Whole | None = None) -> Coincidence:
    """Test whether layers share their moments of learning more often than independently shifted ones do.

    Null: the layers' series are independent, and each is stationary: every circular shift of it is as likely
    (within `local_reach`, where `shifts` says so: then only as local, which allows for a slow course of training).
    Alternative: more shared moments. Unit of replication: the iteration. Assumptions: the ring's seam does no harm;
    autocorrelation is kept. Not valid, with shifts round the whole ring, where all layers learn more early in training
    than late: moments then coincide without synchrony. Refuse it there (`evenness.why_uneven`), and read local shifts,
    whose p-values are at least about (2 r + 1)^(1 − L) for a reach r (`local_reach`). The p-value orders sets of
    shifts by count, and by closeness (`shared_scores`) within a count.

    Parameters
    ----------
    scores : ndarray[L (L − 1) / 2, T] int64
        From `shared_scores`.
    rng : numpy.random.Generator
        Source of the random shifts.
    shifts : ndarray[S] int64, optional
        Allowed shifts of a layer, 0 among them; None allows all T.

    Returns
    -------
    Coincidence
        Count, null and p-value: exact where at most 500,000 sets of shifts exist (the first layer stands still
        when all shifts are allowed), else (b + 1) / (B + 1) of `MONTE_CARLO` random ones.

    Notes
    -----
    `tail_p` extends the null's tail by a shifted gamma (Pearson type III) distribution with its first three moments,
    with a continuity correction: an approximation for p-values far below 1 / B.
    """
    layers, length = _layers(scores), scores.shape[1]
    offsets = _offsets(length, shifts)
    free = layers - 1 if shifts is None else layers
    exact = len(offsets) ** free <= _MOST_ENUMERATED
    chosen = _all_shifts(offsets, layers, free) if exact else _random_shifts(offsets, (MONTE_CARLO, layers), rng)
    return _conclude(int(scores[:, 0].sum()), _totals(scores, chosen), exact)


def residual_coincidence_test(
    series: Reals,
    rng: np.random.Generator,
    shifts: Whole | None = None,
    draws: int = RESIDUAL_MONTE_CARLO,
    tolerance: int = 0,
) -> Coincidence:
    """Test whether layers share moments of learning once the other layers' total is removed from each.

    Null: the layers' series are independent. The statistic counts shared minima of the residuals
    (`residual_series`); its null distribution repeats shift, regression and minima, because the residuals of
    independent layers are dependent: shifting the residuals themselves rejects a true null in up to a quarter of
    short, smooth runs. Alternative: layers share moments beyond the total. Unit of replication: the iteration.
    Where layers share nothing but a common component, residuals depend negatively, and the test is conservative.

    Parameters
    ----------
    series : ndarray[T, L] float64
        Loss change of the layers, all finite, loss units.
    rng : numpy.random.Generator
        Source of the random shifts.
    shifts : ndarray[S] int64, optional
        Allowed shifts of a layer, 0 among them; None allows all T.
    draws : int
        Number of random sets of shifts.
    tolerance : int
        Two moments are shared when they lie at most so many iterations apart.

    Returns
    -------
    Coincidence
        Count, null and p-value (b + 1) / (B + 1).
    """
    length, layers = series.shape
    chosen = _random_shifts(_offsets(length, shifts), (draws, layers), rng)
    rows = np.ascontiguousarray((series - series.mean(0)).T)
    twice = np.concatenate([rows, rows], axis=1)
    null = [_residual_score(_shifted(twice, shift), tolerance) for shift in chosen]
    return _conclude(_residual_score(rows, tolerance), np.array(null), False)


def _shifted(twice: Reals, shift: Whole) -> Reals:
    """Shift each row on the ring, from rows that are written twice in sequence."""
    length = twice.shape[1] // 2
    return np.stack([row[length - by : 2 * length - by] for row, by in zip(twice, shift, strict=True)])


def _residual_score(rows: Reals, tolerance: int) -> int:
    """Count shared minima of the rows' residuals, with the closeness of all minima below, as in `shared_scores`."""
    minima = deepest_of_rows(remove_others(rows))
    layers = minima.sum(0)
    count = (int(layers @ layers) - int(layers.sum())) // 2
    close = (CLOSE + tolerance) * count
    for distance in range(1, min(CLOSE + tolerance, len(layers) // 2)):
        together = int(layers @ np.roll(layers, distance))
        close += (CLOSE + tolerance - distance) * together
        if distance <= tolerance:
            count += together - int((minima & np.roll(minima, distance, axis=1)).sum())
    return (count << _BITS) + close


def _offsets(length: int, shifts: Whole | None) -> Whole:
    """List the allowed shifts of one layer on the ring."""
    return np.arange(length) if shifts is None else np.unique(np.asarray(shifts) % length)


def _layers(scores: Whole) -> int:
    """Find the number of layers from that of their pairs."""
    return (1 + isqrt(1 + 8 * len(scores))) // 2


def _conclude(score: int, scores: Whole, exact: bool) -> Coincidence:
    """Hold an observed score against its null distribution."""
    reached = int((scores >= score).sum())
    p = reached / len(scores) if exact else (reached + 1) / (len(scores) + 1)
    observed, null = score >> _BITS, counts_of(scores)
    low, high = np.quantile(null, [0.025, 0.975])
    tail = _pearson_tail(null, observed)
    return Coincidence(
        observed, float(null.mean()), float(null.std()), float(low), float(high), p, exact, tail, len(null)
    )


def pair_p_values(scores: Whole, shifts: Whole | None = None) -> Reals:
    """Exact p-value of every pair of layers, over all shifts of one against the other.

    Parameters
    ----------
    scores : ndarray[L (L − 1) / 2, T] int64
        From `shared_scores`.
    shifts : ndarray[S] int64, optional
        Allowed shifts, 0 among them; None allows all T.

    Returns
    -------
    ndarray[L (L − 1) / 2] float64
        Share of the shifts with a score as high as observed, or higher; at least 1 / T (1 / S).
    """
    return (scores[:, _offsets(scores.shape[1], shifts)] >= scores[:, :1]).mean(1)


def _all_shifts(offsets: Whole, layers: int, free: int) -> Whole:
    """List every set of shifts; layers that are not free stand still."""
    grids = np.meshgrid(*[offsets] * free, indexing="ij") if free else [np.zeros(1, np.int64)]
    moved = np.stack([grid.ravel() for grid in grids], axis=1)
    return np.concatenate([np.zeros((len(moved), layers - moved.shape[1]), np.int64), moved], axis=1)


def _random_shifts(offsets: Whole, shape: tuple[int, int], rng: np.random.Generator) -> Whole:
    """Draw sets of shifts."""
    return offsets[rng.integers(len(offsets), size=shape)]


def _totals(scores: Whole, shifts: Whole) -> Whole:
    """Sum the pairs' scores for each set of shifts."""
    total, length = np.zeros(len(shifts), np.int64), scores.shape[1]
    for row, (a, b) in zip(scores, combinations(range(_layers(scores)), 2), strict=True):
        total += row[(shifts[:, b] - shifts[:, a]) % length]
    return total


def _pearson_tail(null: Whole, observed: int) -> float:
    """Extend the null's tail by its first three moments; the smallest positive number stands for less."""
    deviation = float(null.std())
    if deviation == 0:
        return float("nan")
    skewness = float(((null - null.mean()) ** 3).mean()) / deviation**3
    score = (observed - 0.5 - float(null.mean())) / deviation
    return float(max(stats.pearson3.sf(score, skewness), np.finfo(np.float64).tiny))
