"""A test of whether layers share their moments of learning."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import isqrt

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

Whole = NDArray[np.int64]
Reals = NDArray[np.float64]

MONTE_CARLO = 9999
"""Number of random sets of shifts, where there are too many to enumerate."""

JITTER = 25
"""Greatest shift, in recorded steps, of the null that keeps the course of training."""

CLOSE = 16
"""Ties between equal counts are broken by how many moments nearly coincide, up to so many iterations apart."""

MIN_SHIFTS = 20
"""Fewest shifts of one layer against another that a test rests on: p is at least one over their number."""

MIN_SETS = 100
"""Fewest sets of local shifts that differ by more than one shift of all layers: p-values come in steps of as much."""

_MOST_ENUMERATED = 500_000
_BITS = 32
_ON_RING = 2  # axes of scores that depend on the difference of two shifts alone


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
    return score_of(count, _spread(apart, lambda distance: max(CLOSE + tolerance - distance, 0)))


def score_of(count: Whole, closeness: Whole) -> Whole:
    """Put shared moments and closeness into one number, which orders by the first, then by the second."""
    return (count << _BITS) + closeness


def too_few_shifts(count: int) -> str | None:
    """Say that so many shifts are too few for a test."""
    if count >= MIN_SHIFTS:
        return None
    return f"{count} shifts cannot reach p ≤ 0.05: the smallest possible is {1 / count:.2g}"


def too_few_sets(reach: int, layers: int) -> str | None:
    """Say that local shifts of so many layers are too few for a test: a set counts once for each shift of all alike."""
    count = (2 * reach + 1) ** (layers - 1)
    if count >= MIN_SETS:
        return None
    return f"local shifts of {layers} layers by up to {reach} steps are {count} in effect: too few for a p-value"


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


def local_scores(peaks: list[Whole], length: int, reaches: tuple[int, int], tolerance: int = 0) -> Whole:
    """Count the moments that two layers share, for all shifts of both within some steps.

    The run is mirrored at its ends. On a ring, early moments would be shifted to its end: where layers learn fast at
    first, that alone takes shared moments away, and up to 0.08 of true nulls are rejected.

    Parameters
    ----------
    peaks : list of ndarray[≤ 20] int64
        Moments of each of L layers.
    length : int
        Iterations T of the run.
    reaches : tuple of (int, int)
        Greatest shifts R and S of the first and of the second layer of a pair, less than T.
    tolerance : int
        As in `shared_scores`.

    Returns
    -------
    ndarray[L (L − 1) / 2, 2 R + 1, 2 S + 1] int64
        Scores as in `shared_scores`; at [(a, b), R + r, S + s] when a is shifted later by r, and b by s.
    """
    first, second = (_shifted_moments(peaks, length, reach) for reach in reaches)
    furthest = min(CLOSE + tolerance, length - 1)
    steps = np.arange(-furthest, furthest + 1)
    apart = np.abs(steps)
    weights = score_of((apart <= tolerance).astype(np.int64), CLOSE + tolerance - apart)
    weight = sparse.diags_array(list(weights), offsets=steps, shape=(length, length), dtype=np.int64)
    table = first @ (second @ weight).toarray().T
    table = table.reshape(len(peaks), -1, len(peaks), 2 * reaches[1] + 1)
    return np.stack([table[a, :, b] for a, b in combinations(range(len(peaks)), 2)])


def _shifted_moments(peaks: list[Whole], length: int, reach: int) -> sparse.csr_array:
    """Mark every layer's moments for each shift of it, in a run that is mirrored at its ends: [L (2 R + 1), T]."""
    shifts = np.arange(-reach, reach + 1)[:, None]
    rows, columns = [], []
    for layer, own in enumerate(peaks):
        moved = shifts + np.concatenate([own, -1 - own, 2 * length - 1 - own])
        row, place = np.nonzero((moved >= 0) & (moved < length))
        rows.append(row + layer * len(shifts))
        columns.append(moved[row, place])
    where = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_array((np.ones(len(where[0]), np.int64), where), (len(peaks) * len(shifts), length))


def coincidence_test(scores: Whole, rng: np.random.Generator) -> Coincidence:
    """Test whether layers share their moments of learning more often than independently shifted ones do.

    Null: the layers' series are independent, and each is stationary: every circular shift of it is as likely
    (within `local_reach`, with `local_scores`: then only as local, which allows for a slow course of training).
    Alternative: more shared moments. Unit of replication: the iteration. Assumptions: the ring's seam does no harm;
    autocorrelation is kept. Not valid, with shifts round the whole ring, where all layers learn more early in training
    than late: moments then coincide without synchrony. Refuse it there (`evenness.why_uneven`), and read local shifts,
    whose p-values are at least about (2 r + 1)^(1 − L) for a reach r (`local_reach`): refuse them where that is more
    than 1 / `MIN_SETS` (`too_few_sets`). The p-value orders sets of
    shifts by count, and by closeness (`shared_scores`) within a count.

    Parameters
    ----------
    scores : ndarray[L (L − 1) / 2, T] or [L (L − 1) / 2, 2 R + 1, 2 R + 1] int64
        From `shared_scores`, for shifts round the whole ring, or from `local_scores`.
    rng : numpy.random.Generator
        Source of the random shifts.

    Returns
    -------
    Coincidence
        Count, null and p-value: exact where at most 500,000 sets of shifts exist (on the ring the first layer stands
        still), else (b + 1) / (B + 1) of `MONTE_CARLO` random ones.

    Notes
    -----
    `tail_p` extends the null's tail by a shifted gamma (Pearson type III) distribution with its first three moments,
    with a continuity correction: an approximation for p-values far below 1 / B.
    """
    layers = (1 + isqrt(1 + 8 * len(scores))) // 2
    free = layers - 1 if scores.ndim == _ON_RING else layers
    exact = scores.shape[1] ** free <= _MOST_ENUMERATED
    totals = _all_totals(scores, layers) if exact else _random_totals(scores, layers, rng)
    return conclude(int(unshifted(scores).sum()), totals, exact)


def unshifted(scores: Whole) -> Whole:
    """Read the scores of layers that are not shifted, one of each pair."""
    if scores.ndim == _ON_RING:
        return scores[:, 0]
    return scores[:, scores.shape[1] // 2, scores.shape[2] // 2]


def conclude(score: int, scores: Whole, exact: bool) -> Coincidence:
    """Hold an observed score against its null distribution."""
    reached = int((scores >= score).sum())
    p = reached / len(scores) if exact else (reached + 1) / (len(scores) + 1)
    observed, null = score >> _BITS, counts_of(scores)
    low, high = np.quantile(null, [0.025, 0.975])
    tail = _pearson_tail(null, observed)
    return Coincidence(
        observed, float(null.mean()), float(null.std()), float(low), float(high), p, exact, tail, len(null)
    )


def pair_p_values(scores: Whole) -> Reals:
    """Exact p-value of every pair of layers, over all shifts of one against the other.

    Parameters
    ----------
    scores : ndarray[L (L − 1) / 2, T] or [L (L − 1) / 2, 1, 2 S + 1] int64
        From `shared_scores`, or from `local_scores`, of which the first layer of a pair stands still.

    Returns
    -------
    ndarray[L (L − 1) / 2] float64
        Share of the shifts with a score as high as observed, or higher; at least 1 / T, or 1 / (2 S + 1). NaN for less
        than `MIN_SHIFTS` shifts, which cannot reach 0.05.
    """
    if scores[0].size < MIN_SHIFTS:
        return np.full(len(scores), np.nan)
    return (scores.reshape(len(scores), -1) >= unshifted(scores)[:, None]).mean(1)


def _all_totals(scores: Whole, layers: int) -> Whole:
    """Sum the pairs' scores for every set of shifts; on the ring the first layer stands still."""
    size, on_ring = scores.shape[1], scores.ndim == _ON_RING
    places = np.arange(size)
    total = np.zeros((size,) * layers, np.int64) if not on_ring else np.zeros((1, *(size,) * (layers - 1)), np.int64)
    for row, (a, b) in zip(scores, combinations(range(layers), 2), strict=True):
        table = row if not on_ring else row[None] if a == 0 else row[(places - places[:, None]) % size]
        shape = [1] * layers
        shape[a], shape[b] = table.shape
        total += table.reshape(shape)
    return total.ravel()


def _random_totals(scores: Whole, layers: int, rng: np.random.Generator) -> Whole:
    """Sum the pairs' scores for random sets of shifts."""
    size = scores.shape[1]
    shifts = rng.integers(size, size=(MONTE_CARLO, layers))
    total = np.zeros(MONTE_CARLO, np.int64)
    for row, (a, b) in zip(scores, combinations(range(layers), 2), strict=True):
        one, other = shifts[:, a], shifts[:, b]
        total += row[(other - one) % size] if scores.ndim == _ON_RING else row[one, other]
    return total


def _pearson_tail(null: Whole, observed: int) -> float:
    """Extend the null's tail by its first three moments; the smallest positive number stands for less."""
    mean, deviation = float(null.mean()), float(null.std())
    if deviation == 0:
        return float("nan")
    scaled = (null - mean) / deviation
    skewness = float((scaled * scaled * scaled).mean())
    score = (observed - 0.5 - mean) / deviation
    return float(max(stats.pearson3.sf(score, skewness), np.finfo(np.float64).tiny))
