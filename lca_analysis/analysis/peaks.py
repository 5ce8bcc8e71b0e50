"""Moments of learning: the deepest local minima of a layer's allocated loss change."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

PEAKS = 20
"""How many of the deepest minima of a layer count as its moments of learning (Lan et al. 2019)."""

NOTHING_LEFT = 1e-18
"""Share of a series' power that a regression leaves where it explains all but rounding errors."""


def deepest_minima(series: ArrayLike, count: int = PEAKS) -> NDArray[np.int64]:
    """Find the deepest local minima of a series.

    Parameters
    ----------
    series : array_like[T] float
        Loss change of a layer by iteration, loss units; NaN is never a minimum, and is no neighbour.
    count : int
        Most minima to find.

    Returns
    -------
    ndarray[≤ count] int64
        Their places, deepest first. A minimum is negative (a moment at which the loss falls), below its
        left neighbour and not above its right one. The series is closed to a ring, so that shifting it shifts them.
    """
    values = np.asarray(series, np.float64)
    filled = np.where(np.isfinite(values), values, np.inf)
    lower = (filled < np.roll(filled, 1)) & (filled <= np.roll(filled, -1)) & (filled < 0)
    places = np.flatnonzero(lower)
    return places[np.argsort(filled[places], kind="stable")][:count]


def normal_scores(series: ArrayLike) -> NDArray[np.float64]:
    """Replace every layer's loss changes by what normal ones of the same order would be.

    Parameters
    ----------
    series : array_like[T, L] float
        Loss change of L layers, all finite.

    Returns
    -------
    ndarray[T, L] float64
        Φ⁻¹((r − ½) / T) of the ranks r = 1 … T within each layer; equal changes share their mean rank.
    """
    values = np.asarray(series, np.float64)
    ranks = stats.rankdata(values, axis=0)
    return np.asarray(special.ndtri((ranks - 0.5) / max(len(values), 1)), np.float64)


def residual_series(series: ArrayLike) -> NDArray[np.float64]:
    """Remove from every layer what the other layers' total explains, whatever its distribution.

    Parameters
    ----------
    series : array_like[T, L] float
        Loss change of L layers; iterations with a NaN stay NaN.

    Returns
    -------
    ndarray[T, L] float64
        Residuals of the least-squares regression, with intercept, of each layer's `normal_scores` on Σ of the others'
        losses (leave-one-out total) and on Σ of the others' scores.

    Notes
    -----
    The others' total measures what all share inexactly, so that a regression on it leaves a part of each shared shock
    in all layers. Of scores that part is small where the layers share much: an outlier is no longer than others. Where
    they share nothing but a few shocks, scores hardly depend on each other, and the total of losses shows the shocks.
    """
    values = np.asarray(series, np.float64)
    known = np.isfinite(values).all(1)
    result = np.full(values.shape, np.nan)
    if not known.any():
        return result
    inner = values[known]
    scores = normal_scores(inner)
    losses, scores = (columns - columns.mean(0) for columns in (inner / (np.abs(inner).max() or 1.0), scores))
    total, total_of_scores = (columns.sum(1, keepdims=True) - columns for columns in (losses, scores))
    result[known] = _without(_without(scores, total), _without(total_of_scores, total))
    return result


def _without(values: NDArray[np.float64], explaining: NDArray[np.float64]) -> NDArray[np.float64]:
    """Remove from each column its regression on another one; nothing is left of what rounding alone tells apart."""
    power = (explaining**2).sum(0)
    slope = np.divide((explaining * values).sum(0), power, out=np.zeros_like(power), where=power > 0)
    left = values - slope * explaining
    return left * ((left**2).sum(0) > NOTHING_LEFT * (values**2).sum(0))
