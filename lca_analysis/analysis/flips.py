"""Sign flips: how often a series changes its sign."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lca_analysis.analysis.inference import MeanTest, hac_mean

Reals = NDArray[np.float64]


def flip_rate(series: ArrayLike) -> Reals:
    """Share of the parameters whose sign differs from their last non-zero one, by iteration.

    Parameters
    ----------
    series : array_like[T, P] float
        Steps or path-mean gradients of P parameters; NaN counts as zero.

    Returns
    -------
    ndarray[T − 1] float64
        Share at iterations 1 … T − 1, of the parameters that are not zero and were not zero before;
        NaN where there are none.
    """
    signs = np.nan_to_num(np.sign(np.asarray(series))).astype(np.int8)
    place = np.where(signs != 0, np.arange(len(signs))[:, None], 0)
    last = np.take_along_axis(signs, np.maximum.accumulate(place, axis=0), axis=0)
    counted = (signs[1:] != 0) & (last[:-1] != 0)
    flipped = counted & (signs[1:] != last[:-1])
    total = counted.sum(1).astype(np.float64)
    return np.divide(flipped.sum(1), total, out=np.full(len(total), np.nan), where=total > 0)


def flip_interval(series: ArrayLike, confidence: float = 0.95) -> MeanTest:
    """Mean number of iterations between sign flips, tested against white noise.

    Null: a sign flips with probability ½ in each iteration, as white noise with median 0 does: an interval of 2.
    Alternative: two-sided. Unit of replication: the iteration (all parameters together make one value of the
    flip rate, so that their dependence does not count as evidence). Assumptions: those of `hac_mean` on the
    flip rate. Not valid as a test of oscillation: a slow drift also lengthens the interval.

    Parameters
    ----------
    series : array_like[T, P] float
        Steps or path-mean gradients of P parameters.
    confidence : float
        Confidence of the interval.

    Returns
    -------
    MeanTest
        One interval, 1 / mean flip rate, in recorded steps. Its upper end is infinite where the interval of the rate
        reaches 0.
    """
    found = hac_mean(flip_rate(series), null=0.5, confidence=confidence)
    return MeanTest(
        _inverse(found.estimate),
        _inverse(found.high),
        np.where(found.low <= 0, np.inf, _inverse(found.low)),
        found.standard_error * _inverse(found.estimate) ** 2,
        found.statistic,
        found.p,
        found.n,
        found.effective_n,
        _explain(found),
    )


def _explain(found: MeanTest) -> tuple[str | None, ...]:
    """Add the reason of a series that never flips."""
    never = "no sign ever flips"
    return tuple(never if rate == 0 else reason for rate, reason in zip(found.estimate, found.reason, strict=True))


def _inverse(rate: Reals) -> Reals:
    """Turn flip rates into intervals; a rate that is not positive has none."""
    return np.divide(1.0, rate, out=np.full(rate.shape, np.nan), where=rate > 0)
