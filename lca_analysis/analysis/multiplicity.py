"""Correction of p-values for the number of tests."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lca_analysis.errors import ArgumentError

HOLM = "Holm"
BENJAMINI_HOCHBERG = "Benjamini–Hochberg"


MIN_EFFECTIVE = 20
"""Fewest independent iterations that one test of several must count as. With fewer, the far tails that a correction of
many tests asks for are too light: 100 iterations at an autocorrelation of 0.9 count as 5, and one of 40 true nulls is
rejected in 9 % of such runs."""

UNCORRECTED = "; 1, since "
"""Between the name of a correction and the reason why a test has the corrected p-value 1 instead."""


def too_few_to_correct(p: ArrayLike, effective: ArrayLike) -> NDArray[np.bool_]:
    """Find the tests that count as too few independent iterations for a correction of several tests.

    Parameters
    ----------
    p : array_like[N] float
        p-values; NaN where there is no test.
    effective : array_like[N] float
        Independent iterations that each test counts as; NaN where its unit of replication is another.

    Returns
    -------
    ndarray[N] bool
        True below `MIN_EFFECTIVE`; nowhere in a family of one.
    """
    tested = np.isfinite(np.asarray(p, np.float64))
    return tested & (tested.sum() > 1) & (np.asarray(effective, np.float64) < MIN_EFFECTIVE)


def adjust(p: ArrayLike, adjustment: str = HOLM, effective: ArrayLike = np.nan) -> NDArray[np.float64]:
    """Correct p-values for the number of tests; a missing one stays missing and is not counted.

    Parameters
    ----------
    p : array_like[N] float
        p-values; NaN where there is no test.
    adjustment : str
        "Holm" (no false positive in the family, any dependence) or "Benjamini–Hochberg"
        (share of false positives; independent or positively dependent tests).
    effective : array_like[N] float
        Independent iterations that each test counts as, where that is its unit of replication.

    Returns
    -------
    ndarray[N] float64
        Corrected p-values, at most 1; 1 for tests that are `too_few_to_correct`, which are not counted.

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
    few = too_few_to_correct(values, effective)
    tested = ~np.isnan(values) & ~few
    if ((values[tested] < 0) | (values[tested] > 1)).any():
        raise ArgumentError("p-values lie between 0 and 1")
    adjusted = np.where(few, 1.0, np.nan)
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
