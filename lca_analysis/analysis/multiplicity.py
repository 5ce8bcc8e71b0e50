"""Correction of p-values for the number of tests."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lca_analysis.errors import ArgumentError

HOLM = "Holm"
BENJAMINI_HOCHBERG = "Benjamini–Hochberg"


def adjust(p: ArrayLike, adjustment: str = HOLM) -> NDArray[np.float64]:
    """Correct p-values for the number of tests; a missing one stays missing and is not counted.

    Parameters
    ----------
    p : array_like[N] float
        p-values; NaN where there is no test.
    adjustment : str
        "Holm" (no false positive in the family, any dependence) or "Benjamini–Hochberg"
        (share of false positives; independent or positively dependent tests).

    Returns
    -------
    ndarray[N] float64
        Corrected p-values, at most 1.

    Raises
    ------
    ArgumentError
        The correction is unknown, or a p-value lies outside 0 to 1.

    Notes
    -----
    Holm (1979); Benjamini and Hochberg (1995).
    """
    if adjustment not in _ADJUSTMENTS:
        raise ArgumentError(f"there is no adjustment {adjustment!r}; use {' or '.join(_ADJUSTMENTS)}")
    values = np.asarray(p, np.float64)
    tested = ~np.isnan(values)
    if ((values[tested] < 0) | (values[tested] > 1)).any():
        raise ArgumentError("p-values lie between 0 and 1")
    adjusted = np.full(values.shape, np.nan)
    order = np.flatnonzero(tested)[np.argsort(values[tested], kind="stable")]
    adjusted[order] = _ADJUSTMENTS[adjustment](values[order])
    return adjusted


def _holm(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply each p-value by the number of those that are not smaller; never below an earlier one."""
    return np.minimum(np.maximum.accumulate(np.arange(len(ordered), 0, -1) * ordered), 1)


def _benjamini_hochberg(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply each p-value by the number of all over its rank; never above a later one."""
    scaled = ordered * len(ordered) / np.arange(1, len(ordered) + 1)
    return np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)


_ADJUSTMENTS = {HOLM: _holm, BENJAMINI_HOCHBERG: _benjamini_hochberg}
