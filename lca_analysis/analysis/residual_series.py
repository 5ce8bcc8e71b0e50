"""What is left of the layers' loss changes once the others' total is removed from each."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, special, stats

NOTHING_LEFT = 1e-18
"""Share of a series' power that a regression leaves where it explains all but rounding errors."""

WINDOWS = 10
"""Windows of the running median by which the pace of learning is followed, in a run."""

_REST = 1e-100  # of a layer's mean size: what moves less is at rest, and nothing is divided by less


def relative_to_pace(series: ArrayLike) -> NDArray[np.float64]:
    """Divide the loss changes of all layers by the pace of learning, which usually falls over a run.

    Parameters
    ----------
    series : array_like[T, L] float
        Loss change of L layers, all finite.

    Returns
    -------
    ndarray[T, L] float64
        In units of the layer's mean size and of the pace: the running median, over T / `WINDOWS` iterations, of the
        median over layers of their sizes in units of the layer's mean. A few moments do not change it.
    """
    values = np.asarray(series, np.float64)
    values = values / (np.abs(values).max(initial=0.0) or 1.0)
    mean = np.abs(values).mean(0) if len(values) else np.ones(values.shape[1])
    relative = values / np.where(mean > 0, mean, 1.0)
    window = max(len(values) // WINDOWS, 3)
    pace = ndimage.median_filter(np.median(np.abs(relative), axis=1), window, mode="reflect")
    slowest = max(pace[pace > 0].min(initial=1.0), _REST)
    return np.asarray(relative / np.maximum(pace, slowest)[:, None], np.float64)


def normal_scores(series: ArrayLike) -> NDArray[np.float64]:
    """Replace every layer's numbers by what normal ones of the same order would be.

    Parameters
    ----------
    series : array_like[T, L] float
        One layer a column, all finite.

    Returns
    -------
    ndarray[T, L] float64
        Φ⁻¹((r − ½) / T) of the ranks r = 1 … T within each layer; equal numbers share their mean rank.
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
        Of the changes `relative_to_pace`: residuals of the least-squares regression, with intercept, of each layer's
        `normal_scores` on Σ of the others' changes (leave-one-out total) and on Σ of the others' scores.

    Notes
    -----
    The others' total measures what all share inexactly, so that a regression on it leaves a part of each shared shock
    in all layers. Of scores that part is small where the layers share much: an outlier is no longer than others. Where
    they share nothing but a few shocks, scores hardly depend on each other, and the total of losses shows the shocks.
    Where all learn much more at the start, one slope for the whole run would leave a part of what they share there.
    """
    values = np.asarray(series, np.float64)
    known = np.isfinite(values).all(1)
    result = np.full(values.shape, np.nan)
    if not known.any():
        return result
    steady = relative_to_pace(values[known])
    losses, scores = (columns - columns.mean(0) for columns in (steady, normal_scores(steady)))
    total, total_of_scores = (columns.sum(1, keepdims=True) - columns for columns in (losses, scores))
    result[known] = _without(_without(scores, total), _without(total_of_scores, total))
    return result


def _without(values: NDArray[np.float64], explaining: NDArray[np.float64]) -> NDArray[np.float64]:
    """Remove from each column its regression on another one; nothing is left of what rounding alone tells apart."""
    power = (explaining**2).sum(0)
    slope = np.divide((explaining * values).sum(0), power, out=np.zeros_like(power), where=power > 0)
    left = values - slope * explaining
    return left * ((left**2).sum(0) > NOTHING_LEFT * (values**2).sum(0))
