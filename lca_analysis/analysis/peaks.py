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
