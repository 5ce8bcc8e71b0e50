"""The signed-logarithmic bins of the histogram table."""

import numpy as np
import numpy.typing as npt

BINS_PER_DECADE = 8
_FIRST_DECADE, _LAST_DECADE = -16, 4

BINS = BINS_PER_DECADE * (_LAST_DECADE - _FIRST_DECADE)
"""Bins on each side of zero: eight a decade from 1e-16 to 1e4."""

_EDGES = 10.0 ** (_FIRST_DECADE + np.arange(BINS + 1) / BINS_PER_DECADE)


def bin_numbers(values: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Find the bin of every value.

    Parameters
    ----------
    values : array_like[...] of float, any unit
        The values, none of them NaN.

    Returns
    -------
    ndarray[...] int32
        0 for exactly zero; ±k for magnitudes in the k-th bin, closed below and open above, 1 ≤ k ≤ 160.
        The outermost bins also take what lies beyond them.
    """
    array = np.asarray(values, dtype=np.float64)
    magnitude = np.clip(np.searchsorted(_EDGES, np.abs(array), side="right"), 1, BINS)
    return (np.sign(array) * magnitude).astype(np.int32)


def bin_edges(bins: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give the edges of bins.

    Parameters
    ----------
    bins : array_like[n] of int
        Bin numbers, −160 to 160.

    Returns
    -------
    lower, upper : ndarray[n] float64
        The edges, lower ≤ upper; both are 0 for bin 0.
    """
    number = np.asarray(bins, dtype=np.int64)
    outer = _EDGES[np.abs(number)] * np.sign(number)
    inner = _EDGES[np.maximum(np.abs(number) - 1, 0)] * np.sign(number)
    return np.minimum(inner, outer), np.maximum(inner, outer)
