"""A test of whether layers share their moments of learning beyond what the other layers' total explains."""

import numpy as np
from numpy.typing import NDArray

from lca_analysis.analysis.coincidence import CLOSE, Coincidence, conclude, score_of
from lca_analysis.analysis.peaks import deepest_of_rows, remove_others

RESIDUAL_MONTE_CARLO = 999
"""Number of random sets of shifts, each of which needs its own regression."""

_VALUES_AT_ONCE = 200_000

Whole = NDArray[np.int64]
Reals = NDArray[np.float64]


def residual_coincidence_test(
    series: Reals,
    rng: np.random.Generator,
    reach: int | None = None,
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
    reach : int, optional
        Greatest shift of a layer, in a run that is mirrored at its ends; None allows all circular shifts.
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
    rows = np.ascontiguousarray(series.T)
    around = ((0, 0), (length, length) if reach is None else (reach, reach))
    longer = np.pad(rows, around, mode="wrap" if reach is None else "symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(longer, length, axis=1)
    starts = rng.integers(length if reach is None else 2 * reach + 1, size=(draws, layers))
    each = max(_VALUES_AT_ONCE // (length * layers), 1)
    null = [
        _scores(windows[np.arange(layers), starts[first : first + each]], tolerance) for first in range(0, draws, each)
    ]
    return conclude(int(_scores(rows[None], tolerance)[0]), np.concatenate(null), False)


def _scores(rows: Reals, tolerance: int) -> Whole:
    """Count shared minima of the residuals of B sets of rows [B, L, T], with the closeness of all minima."""
    minima = deepest_of_rows(remove_others(rows - rows.mean(2, keepdims=True)))
    layers = minima.sum(1, dtype=np.float64)
    count = (_product(layers, layers) - layers.sum(1)) / 2
    close = (CLOSE + tolerance) * count
    for distance in range(1, min(CLOSE + tolerance, rows.shape[2] // 2)):
        together = _product(layers, np.roll(layers, distance, axis=1))
        close += (CLOSE + tolerance - distance) * together
        if distance <= tolerance:
            count += together - (minima & np.roll(minima, distance, axis=2)).sum((1, 2))
    return score_of(count.astype(np.int64), close.astype(np.int64))


def _product(one: Reals, other: Reals) -> Reals:
    """Sum the products of each row."""
    return np.asarray(np.einsum("bt,bt->b", one, other))
