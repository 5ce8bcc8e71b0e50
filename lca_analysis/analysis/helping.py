"""Who helps: percent helping, efficiency, concentration."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lca_analysis.analysis.inference import MeanTest, hac_mean
from lca_analysis.errors import ArgumentError


def percent_helping(n_helping: ArrayLike, n_hurting: ArrayLike) -> NDArray[np.float64]:
    """Share of helping among the parameters (or iterations) that help or hurt.

    Parameters
    ----------
    n_helping, n_hurting : array_like[...] int
        How many have a negative, and a positive, allocated loss change.

    Returns
    -------
    ndarray[...] float64
        100 n_helping / (n_helping + n_hurting), percent; NaN where none moved the loss.

    Notes
    -----
    h_t = #{i: A[t, i] < 0} / #{i: A[t, i] ≠ 0}: exact zeros count for neither (Lan et al. 2019, section 4.1).
    """
    helping, hurting = np.asarray(n_helping, np.float64), np.asarray(n_hurting, np.float64)
    return 100 * _ratio(helping, helping + hurting)


def efficiency(net: ArrayLike, gross: ArrayLike, confidence: float = 0.95) -> MeanTest:
    """Net over gross loss change, Σ A / Σ |A|, with an interval over iterations.

    −1: every parameter helped in every iteration; 0: helping and hurting cancel. No test: the p-value is that of
    the null that the ratio is 0 (helping and hurting cancel), two-sided; replication and assumptions are those
    of `hac_mean`, applied to the ratio's influence series.

    Parameters
    ----------
    net, gross : array_like[T] or [T, N] float
        Σ_i A[t, i] and Σ_i |A[t, i]|, loss units; NaN values leave an iteration out.
    confidence : float
        Confidence of the interval.

    Returns
    -------
    MeanTest
        The ratios, between −1 and 1.

    Notes
    -----
    Delta method: with r = Σ net / Σ gross, the influence of iteration t is r + (net_t − r gross_t) / mean(gross).
    """
    net_, gross_ = np.asarray(net, np.float64), np.asarray(gross, np.float64)
    if net_.shape != gross_.shape:
        raise ArgumentError(f"net has the shape {net_.shape} and gross {gross_.shape}; they must agree")
    known = np.isfinite(net_) & np.isfinite(gross_)
    counted, weight = np.where(known, net_, 0), np.where(known, gross_, 0)
    mean = _ratio(weight.sum(0), known.sum(0).astype(np.float64))
    ratio = _ratio(counted.sum(0), weight.sum(0))
    influence = ratio + _ratio(counted - ratio * weight, np.broadcast_to(mean, weight.shape))
    return hac_mean(np.where(known, influence, np.nan), confidence=confidence)


def concentration(size: ArrayLike, share: float = 0.01) -> float:
    """Part of a total that its largest members carry.

    Parameters
    ----------
    size : array_like[K] float
        What each parameter contributes to the total; the largest ones are the largest positive ones.
    share : float
        Share of the parameters, such as 0.01 for the top 1 %; at least one parameter.

    Returns
    -------
    float
        Σ of the largest ⌈share K⌉ over Σ of all, in percent; above 100 where others offset them;
        NaN where the total is 0.
    """
    values = np.asarray(size, np.float64)
    values = values[np.isfinite(values)]
    count = int(np.ceil(share * len(values)))
    total = float(values.sum())
    if count == 0 or total == 0:
        return float("nan")
    top = np.partition(values, len(values) - count)[len(values) - count :]
    return 100 * float(top.sum()) / total


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide; NaN where the divisor is 0."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)
