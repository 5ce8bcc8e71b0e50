"""A test of whether layers share their moments of learning."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lca_analysis.analysis.peaks import deepest_minima, residual_series

Whole = NDArray[np.int64]
Reals = NDArray[np.float64]

MONTE_CARLO = 9999
"""Number of random sets of shifts, where there are too many to enumerate."""

RESIDUAL_MONTE_CARLO = 999
"""Number of random sets of shifts where each needs its own regression."""

JITTER = 25
"""Greatest shift, in recorded steps, of the null that keeps the course of training."""

_MOST_ENUMERATED = 500_000


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


def shared_counts(peaks: list[Whole], length: int, tolerance: int = 0) -> Whole:
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
    ndarray[L, L, T] int64
        At [a, b, s] the shared moments when b is shifted later by s, a by 0. The diagonal is 0.
    """
    layers = len(peaks)
    counts = np.zeros((layers, layers, length), np.int64)
    near = np.arange(-tolerance, tolerance + 1) if 2 * tolerance + 1 < length else np.arange(length)
    for a in range(layers):
        for b in range(layers):
            if a != b:
                shifts = (peaks[a][:, None, None] - peaks[b][None, :, None] + near) % length
                counts[a, b] = np.bincount(shifts.ravel(), minlength=length)
    return counts


def coincidence_test(counts: Whole, rng: np.random.Generator, shifts: Whole | None = None) -> Coincidence:
    """Test whether layers share their moments of learning more often than independently shifted ones do.

    Null: the layers' series are independent, and each is stationary: every circular shift of it is as likely
    (within ± `JITTER`, where `shifts` says so: then only as local, which allows for a common slow course of training).
    Alternative: more shared moments. Unit of replication: the iteration. Assumptions: the ring's seam does no harm;
    autocorrelation is kept. Not valid, with shifts round the whole ring, where all layers learn more early in training
    than late: moments then coincide without synchrony, and the shifts within ± `JITTER` are the ones to read.

    Parameters
    ----------
    counts : ndarray[L, L, T] int64
        From `shared_counts`.
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
    layers, _, length = counts.shape
    offsets = _offsets(length, shifts)
    free = layers - 1 if shifts is None else layers
    exact = len(offsets) ** free <= _MOST_ENUMERATED
    chosen = _all_shifts(offsets, layers, free) if exact else _random_shifts(offsets, (MONTE_CARLO, layers), rng)
    observed = int(counts[:, :, 0].sum()) // 2
    return _conclude(observed, _totals(counts, chosen), exact)


def residual_coincidence_test(
    series: Reals, rng: np.random.Generator, shifts: Whole | None = None, draws: int = RESIDUAL_MONTE_CARLO
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

    Returns
    -------
    Coincidence
        Count, null and p-value (b + 1) / (B + 1).
    """
    length, layers = series.shape
    chosen = _random_shifts(_offsets(length, shifts), (draws, layers), rng)
    place = np.arange(length)[:, None]
    null = [_shared_minima(residual_series(np.take_along_axis(series, (place - row) % length, 0))) for row in chosen]
    return _conclude(_shared_minima(residual_series(series)), np.array(null), False)


def _shared_minima(series: Reals) -> int:
    """Count the pairs of columns that share one of their deepest minima."""
    places = [deepest_minima(column) for column in series.T]
    layers = np.bincount(np.concatenate(places), minlength=1)
    return int((layers * (layers - 1)).sum()) // 2


def _offsets(length: int, shifts: Whole | None) -> Whole:
    """List the allowed shifts of one layer on the ring."""
    return np.arange(length) if shifts is None else np.unique(np.asarray(shifts) % length)


def _conclude(observed: int, null: Whole, exact: bool) -> Coincidence:
    """Hold an observed count against its null distribution."""
    reached = int((null >= observed).sum())
    p = reached / len(null) if exact else (reached + 1) / (len(null) + 1)
    low, high = np.quantile(null, [0.025, 0.975])
    tail = _pearson_tail(null, observed)
    return Coincidence(
        observed, float(null.mean()), float(null.std()), float(low), float(high), p, exact, tail, len(null)
    )


def pair_p_values(counts: Whole) -> Reals:
    """Exact p-value of every pair of layers, over all T shifts of one against the other.

    Parameters
    ----------
    counts : ndarray[L, L, T] int64
        From `shared_counts`.

    Returns
    -------
    ndarray[L, L] float64
        Share of the shifts with as many shared moments as observed, or more; at least 1 / T.
    """
    return (counts >= counts[:, :, :1]).mean(2)


def _all_shifts(offsets: Whole, layers: int, free: int) -> Whole:
    """List every set of shifts; layers that are not free stand still."""
    grids = np.meshgrid(*[offsets] * free, indexing="ij") if free else [np.zeros(1, np.int64)]
    moved = np.stack([grid.ravel() for grid in grids], axis=1)
    return np.concatenate([np.zeros((len(moved), layers - moved.shape[1]), np.int64), moved], axis=1)


def _random_shifts(offsets: Whole, shape: tuple[int, int], rng: np.random.Generator) -> Whole:
    """Draw sets of shifts."""
    return offsets[rng.integers(len(offsets), size=shape)]


def _totals(counts: Whole, shifts: Whole) -> Whole:
    """Count the shared moments for each set of shifts."""
    layers, _, length = counts.shape
    total = np.zeros(len(shifts), np.int64)
    for a in range(layers):
        for b in range(a + 1, layers):
            total += counts[a, b][(shifts[:, b] - shifts[:, a]) % length]
    return total


def _pearson_tail(null: Whole, observed: int) -> float:
    """Extend the null's tail by its first three moments; the smallest positive number stands for less."""
    deviation = float(null.std())
    if deviation == 0:
        return float("nan")
    skewness = float(((null - null.mean()) ** 3).mean()) / deviation**3
    score = (observed - 0.5 - float(null.mean())) / deviation
    return float(max(stats.pearson3.sf(score, skewness), np.finfo(np.float64).tiny))
