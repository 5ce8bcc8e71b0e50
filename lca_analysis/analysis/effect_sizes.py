"""Effect sizes over runs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

EFFECT_METHOD = "mean over standard deviation of the runs (Hedges), interval by the noncentral t"

_NODES = 200


@dataclass(frozen=True)
class Effect:
    """A standardised mean with its interval; NaN where there is none, for the reason given."""

    estimate: float
    low: float
    high: float
    n: int
    reason: str | None = None


def standardized_mean(values: ArrayLike, null: float = 0.0, confidence: float = 0.95) -> Effect:
    """Estimate how many standard deviations the runs' mean lies from the null.

    Parameters
    ----------
    values : array_like[R] float
        A value of each run, or of each pair its difference; NaN values are left out.
    null : float
        Where the mean would lie without an effect.
    confidence : float
        Of the interval, exact for normal values.

    Returns
    -------
    Effect
        (mean − null) / standard deviation, with Hedges' correction for few runs.

    Notes
    -----
    Hedges (1981); interval by inverting the noncentral t distribution (Steiger and Fouladi 1997).
    """
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    n = len(known)
    if n < 3:
        return Effect(np.nan, np.nan, np.nan, n, f"at least 3 runs are needed; there {'is' if n == 1 else 'are'} {n}")
    spread = float(known.std(ddof=1))
    if spread <= 1e-12 * max(float(np.abs(known).max()), abs(null)):
        return Effect(np.nan, np.nan, np.nan, n, "the value is constant over runs")
    t = float((known.mean() - null) / spread * np.sqrt(n))
    tail = (1 - confidence) / 2
    low, high = (_noncentrality(t, n - 1, level) / np.sqrt(n) for level in (1 - tail, tail))
    correction = float(np.exp(special.gammaln((n - 1) / 2) - special.gammaln((n - 2) / 2)) / np.sqrt((n - 1) / 2))
    return Effect(correction * t / np.sqrt(n), float(low), float(high), n)


def _noncentrality(t: float, freedom: int, level: float) -> float:
    """Find the δ at which t is a quantile of the noncentral t: P(T ≤ t) = E Φ(t s − δ), s² = χ²/freedom."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    scaled = t * np.sqrt(stats.chi2.ppf((nodes + 1) / 2, freedom) / freedom)

    def excess(noncentrality: float) -> float:
        return float(weights @ special.ndtr(scaled - noncentrality) / 2) - level

    return float(optimize.brentq(excess, scaled.min() - 10, scaled.max() + 10))
