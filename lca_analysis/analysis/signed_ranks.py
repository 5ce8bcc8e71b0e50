"""The exact distribution of signed-rank sums."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Reals = NDArray[np.float64]


def _distribution(doubled_ranks: NDArray[np.int64]) -> Reals:
    """Give the probability of every sum when each rank counts or not with a chance of one half."""
    chance = np.ones(1)
    for rank in doubled_ranks:
        shifted = np.zeros(len(chance) + rank)
        shifted[rank:] = chance
        shifted[: len(chance)] += chance
        chance = shifted / 2
    return chance


def p_of_ranks(values: Reals, alternative: str) -> tuple[float, float]:
    """Test by signed ranks whether values lie symmetrically about 0; ties share their mean rank.

    Parameters
    ----------
    values : ndarray[n] float64
        None of them 0.
    alternative : str
        "two-sided", "greater" or "less".

    Returns
    -------
    statistic, p : float
        Sum of the ranks of the positive values, and the exact p-value given the ties.
    """
    doubled = np.rint(2 * stats.rankdata(np.abs(values))).astype(np.int64)
    chance = _distribution(doubled)
    total = int(doubled[values > 0].sum())
    greater, less = float(chance[total:].sum()), float(chance[: total + 1].sum())
    p = {"greater": greater, "less": less, "two-sided": 2 * min(greater, less)}[alternative]
    return total / 2, min(p, 1.0)


def smallest_p_of_ranks(n: int, alternative: str) -> float:
    """Give the smallest p-value that n values can have."""
    return min(float((2 if alternative == "two-sided" else 1) * 0.5**n), 1.0)


def interval_of_ranks(ordered_pairs: Reals, n: int, confidence: float) -> tuple[float, float]:
    """Give the interval of the Hodges–Lehmann estimate: the pair means that the test does not reject.

    Parameters
    ----------
    ordered_pairs : ndarray[n (n + 1) / 2] float64
        Means of all pairs of values, each value with itself too, in order.
    n : int
        Number of values.
    confidence : float
        It covers at least this often.

    Returns
    -------
    low, high : float
        NaN where n is too small for the confidence.
    """
    below = np.cumsum(_distribution(2 * np.arange(1, n + 1))[::2])
    outside = int(np.searchsorted(below, (1 - confidence) / 2, side="right"))
    if outside == 0:
        return np.nan, np.nan
    return float(ordered_pairs[outside - 1]), float(ordered_pairs[-outside])
