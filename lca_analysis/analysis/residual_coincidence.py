"""A test of whether layers share their moments of learning beyond what the other layers' total explains."""

import numpy as np
from numpy.typing import NDArray

from lca_analysis.analysis.coincidence import CLOSE, Coincidence, conclude, score_of
from lca_analysis.analysis.peaks import PEAKS
from lca_analysis.analysis.residual_kernel import prepare, score_residuals
from lca_analysis.analysis.residual_series import normal_scores, relative_to_pace

MIN_RESIDUAL = 200
"""Fewest iterations: in 100, an eighth of runs whose layers share nothing but four drops counts as synchronised."""

RESIDUAL_MONTE_CARLO = 999
"""Number of random sets of shifts, each of which needs its own regression."""

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
    short, smooth runs. Alternative: groups of layers share moments that are not those of all. Unit of replication: the
    iteration.
    Where layers share nothing but one common component, be it normal, heavy-tailed, or a few large shocks, residuals
    hardly depend on each other, or negatively, and such synchrony is not found: it is that of the total. Not valid
    below `MIN_RESIDUAL` iterations: refuse it there.

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
    around = ((0, 0), (length, length) if reach is None else (reach, reach))
    steady = relative_to_pace(series)
    losses, scores = (
        np.pad(columns.T, around, mode="wrap" if reach is None else "symmetric")
        for columns in (steady, normal_scores(steady))
    )
    starts = rng.integers(length if reach is None else 2 * reach + 1, size=(draws, layers))
    at_first = np.full((1, layers), 0 if reach is None else reach)
    observed, null = (_counted(losses, scores, places, length, tolerance) for places in (at_first, starts))
    return conclude(int(observed[0]), null, False)


def _counted(losses: Reals, scores: Reals, starts: Whole, length: int, tolerance: int) -> Whole:
    """Count shared minima of the residuals of every draw, with the closeness of all minima."""
    prepare()
    found = np.zeros((len(starts), 2), np.int64)
    score_residuals(losses, scores, starts, length, PEAKS, tolerance, CLOSE + tolerance, found)
    return score_of(found[:, 0], found[:, 1])
