"""Which of two layers has its moments of learning first."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lca_analysis.analysis.coincidence import too_few_shifts

Whole = NDArray[np.int64]

REACH = 16
"""Moments of two layers at most so many recorded steps apart are held against each other."""

MIN_NEAR = 5
"""Fewest moments near one of the other layer that a lead is measured on."""


@dataclass(frozen=True)
class Lead:
    """By how much a layer's moments come before another's, or the reason why that has no number.

    Attributes
    ----------
    estimate, low, high : float
        Mean number of recorded steps by which the second layer's moments follow the first's, and its interval.
    p : float
        p-value, over shifts.
    near : int
        Moments of the first layer that have one of the second within `REACH`.
    reason : str, optional
        Why there is no number.
    """

    estimate: float
    low: float
    high: float
    p: float
    near: int
    reason: str | None = None


def lead(first: Whole, second: Whole, length: int, shifts: Whole, confidence: float = 0.95) -> Lead:
    """Test whether one layer's moments of learning come before another's.

    Null: the layers are independent, and shifts of one against the other on the ring are equally likely. Alternative:
    two-sided: near the first layer's moments, the second's lie rather behind (or ahead). Statistic: over all pairs of
    moments at most `REACH` apart, the sum of their signed closeness. Unit of replication: the iteration for the test,
    the first layer's moments for the interval (Student's t). Refused below `MIN_NEAR` near moments, and for
    less than `MIN_SHIFTS` shifts, which cannot reach 0.05 (local ones in runs of less than 250 steps).

    Parameters
    ----------
    first, second : ndarray[≤ 20] int64
        Moments of two layers.
    length : int
        Iterations T of the ring.
    shifts : ndarray[S] int64
        Shifts of the second layer, 0 among them.
    confidence : float
        Confidence of the interval.

    Returns
    -------
    Lead
        Positive where the second layer follows.
    """
    behind = _signed(second, first, length)
    near = np.abs(behind) <= REACH
    rows = np.flatnonzero(near.any(1))
    if len(rows) < MIN_NEAR:
        reason = f"at least {MIN_NEAR} moments within {REACH} steps of each other are needed; there are {len(rows)}"
        return Lead(np.nan, np.nan, np.nan, np.nan, len(rows), reason)
    if few := too_few_shifts(len(shifts)):
        return Lead(np.nan, np.nan, np.nan, np.nan, len(rows), few)
    each = np.array([behind[row, near[row]].mean() for row in rows])
    error = float(each.std(ddof=1)) / np.sqrt(len(each))
    wide = float(stats.t.ppf((1 + confidence) / 2, len(each) - 1)) * error
    mean = float(each.mean())
    null = _asymmetries(behind, length, shifts)
    observed = _asymmetries(behind, length, np.zeros(1, np.int64))
    p = float((np.abs(null) >= np.abs(observed)).mean())
    return Lead(mean, mean - wide, mean + wide, p, len(rows))


def _signed(second: Whole, first: Whole, length: int) -> Whole:
    """Steps by which each of the second layer's moments follows each of the first's, on the ring."""
    half = length // 2
    return (second[None, :] - first[:, None] + half) % length - half


def _asymmetries(behind: Whole, length: int, shifts: Whole) -> Whole:
    """Sum the closeness of moments that follow, less that of those that come before, for each shift of the second."""
    half = length // 2
    counts = np.bincount(behind.ravel() % length, minlength=length)  # of moments so many steps behind, on the ring
    steps = np.arange(max(-REACH, -half), min(REACH, length - half - 1) + 1)
    closeness = np.sign(steps) * (REACH + 1 - np.abs(steps))
    sums: Whole = closeness @ counts[(steps[:, None] - shifts) % length]
    return sums
