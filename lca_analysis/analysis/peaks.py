"""Moments of learning: the deepest local minima of a layer's allocated loss change."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

PEAKS = 20
"""How many of the deepest minima of a layer count as its moments of learning (Lan et al. 2019)."""


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


def residual_series(series: ArrayLike) -> NDArray[np.float64]:
    """Remove from every layer what the other layers' total explains.

    Parameters
    ----------
    series : array_like[T, L] float
        Loss change of L layers; iterations with a NaN stay NaN.

    Returns
    -------
    ndarray[T, L] float64
        Residuals of the least-squares regression, with intercept, of each layer on Σ of the others
        (leave-one-out total).
    """
    values = np.asarray(series, np.float64)
    known = np.isfinite(values).all(1)
    inner = values[known]
    if len(inner) == 0:
        return np.full(values.shape, np.nan)
    result = np.full(values.shape, np.nan)
    result[known] = remove_others((inner - inner.mean(0)).T).T
    return result


def remove_others(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Remove from every layer its regression on the others' total.

    Parameters
    ----------
    rows : ndarray[..., L, T] float64
        Loss change of the layers, each of mean 0, all finite.

    Returns
    -------
    ndarray[..., L, T] float64
        Residuals.
    """
    others = rows.sum(-2, keepdims=True) - rows
    power, shared = (np.einsum("...t,...t->...", others, other) for other in (others, rows))
    slope = np.divide(shared, power, out=np.zeros_like(power), where=power > 0)
    others *= slope[..., None]
    return rows - others


def deepest_of_rows(rows: NDArray[np.float64], count: int = PEAKS) -> NDArray[np.bool_]:
    """Mark the deepest minima of every row at once.

    Parameters
    ----------
    rows : ndarray[..., T] float64
        One series a row, all finite.
    count : int
        Most minima of a row; more where several are equally deep.

    Returns
    -------
    ndarray[..., T] bool
        True at the minima of `deepest_minima`.
    """
    lower = (rows < np.roll(rows, 1, axis=-1)) & (rows <= np.roll(rows, -1, axis=-1)) & (rows < 0)
    if rows.shape[-1] <= count:
        return lower
    depth = np.where(lower, rows, 0.0)
    return lower & (depth <= np.partition(depth, count - 1, axis=-1)[..., count - 1 : count])
