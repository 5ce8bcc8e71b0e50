"""The lag of steps behind the negative gradient."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lca_analysis.analysis.bootstrap import BootstrapMean, resample
from lca_analysis.errors import ArgumentError

Reals = NDArray[np.float64]

MAX_LAG = 50
"""Greatest lag that is looked at, in recorded steps; at most a quarter of the run."""

MIN_LENGTH = 40
"""Fewest recorded steps that a lag is measured on."""

MIN_COMPARED = 200
"""Fewest recorded steps on which lags are compared, and mean delays have an interval: blocks of shorter runs depend on
each other, and delays that are long for a run pass for short ones."""

DELAYS_IN_RUN = 50
"""A mean delay has an interval where it fits so often into the run."""

BLOCKS = 8
"""Blocks of consecutive iterations that lags are compared by, and mean delays have their intervals from."""

BY_BLOCKS = f"delta method, t over {BLOCKS} blocks of iterations"

LAG_METHOD = "cross-correlation of −path gradient and step, top of a parabola; block bootstrap over iterations"

_REPEATS = 1999
_NEAR = 1.5
_UNCLEAR_SHARE = 0.05
_UNCLEAR = "the cross-correlation has no clear maximum: it lies elsewhere in more than 5 % of the resamples"
_ALIKE = "the blocks of the run do not differ"
_WEAK = "the sum of the cross-correlation over lags is not clearly positive"


@dataclass(frozen=True)
class LagCurve:
    """Cross-correlation of −path gradient and step by lag.

    Attributes
    ----------
    lag : ndarray[2 M + 1] int64
        Recorded steps by which the step follows.
    correlation : ndarray[2 M + 1] float64
        Mean over the parameters, each of unit variance.
    products : ndarray[T, 2 M + 1] float64
        What each iteration adds to the curve, times T: its mean over iterations is `correlation`. A product of two
        iterations counts for the one midway, so that resamples keep the curve's symmetry about a delay.
    """

    lag: NDArray[np.int64]
    correlation: Reals
    products: Reals


def lag_curve(step: ArrayLike, gradient: ArrayLike, max_lag: int | None = None) -> LagCurve | None:
    """Cross-correlate −path gradient and step.

    Parameters
    ----------
    step, gradient : array_like[T, P] float
        Δ[t, i] and ḡ[t, i].
    max_lag : int, optional
        Greatest lag M; None takes `MAX_LAG`, or a quarter of the series.

    Returns
    -------
    LagCurve or None
        The curve; None when no parameter has both a step and a gradient that vary.

    Notes
    -----
    c(ℓ) = mean_i (1/T) Σ_t x[t, i] y[t + ℓ, i] with x and y the standardised −ḡ and Δ. The lag-0 value holds a
    mechanical part: ḡ is the mean along the step, and so already feels half of it through the curvature.
    """
    moves, slopes = np.asarray(step), np.asarray(gradient)
    if moves.shape != slopes.shape or moves.ndim != 2:
        raise ArgumentError(f"step {moves.shape} and gradient {slopes.shape} must both be [iterations, parameters]")
    reach = min(MAX_LAG, len(moves) // 4) if max_lag is None else max_lag
    moving = np.flatnonzero((np.ptp(moves, axis=0) > 0) & (np.ptp(slopes, axis=0) > 0))
    if len(moving) == 0:
        return None
    leading, following = _standard(-slopes[:, moving]), _standard(moves[:, moving])
    lags = np.arange(-reach, reach + 1)
    products = np.zeros((len(moves), len(lags)))
    for column, lag in enumerate(range(-reach, reach + 1)):
        late = slice(max(lag, 0), len(moves) + min(lag, 0))
        early = slice(max(-lag, 0), len(moves) + min(-lag, 0))
        between = slice(early.start + lag // 2, early.stop + lag // 2)
        products[between, column] = np.einsum("tp,tp->t", leading[early], following[late])
    products /= len(moving)
    return LagCurve(lags, products.mean(0), products)


def resample_counts(length: int, rng: np.random.Generator, repeats: int = _REPEATS) -> Reals:
    """Draw how often each iteration is in a resample, in stationary blocks.

    Parameters
    ----------
    length : int
        Iterations T.
    rng : numpy.random.Generator
        Source of the resamples.
    repeats : int
        Number B of resamples.

    Returns
    -------
    ndarray[B, T] float64
        Counts; blocks are 4 T^(1/3) iterations long on average, so that at least ten fit into a run. An iteration
        carries its lagged products along. Use the same counts for layers that are compared.
    """
    drawn = resample(length, _block_length(length), repeats, rng)
    cells = drawn + length * np.arange(repeats)[:, None]
    return np.bincount(cells.ravel(), minlength=repeats * length).reshape(repeats, length).astype(np.float64)


def lag_of_maximum(curve: LagCurve, resampled: Reals, confidence: float = 0.95) -> BootstrapMean:
    """Find the lag at which steps follow the negative gradient most closely, to fractions of a recorded step.

    Parameters
    ----------
    curve : LagCurve
        The cross-correlation.
    resampled : ndarray[B, 2 M + 1] float64
        Its resamples: `resample_counts` @ ``products`` / T.
    confidence : float
        Confidence of the percentile interval.

    Returns
    -------
    BootstrapMean
        The lag, in recorded steps. Where the maximum is weak, the interval is wide.

    Notes
    -----
    The top of the parabola through the largest correlation and its two neighbours. It moves with the curve, where the
    place of the largest value does not: whole lags have intervals of no width, and tests of them reject nothing. A pure
    delay by whole steps has a symmetric curve, and is met; a skew one moves the top by less than half a step.
    """
    return _interval(_tops(curve.correlation), _top(resampled), curve, confidence)


def lag_difference(
    curve: LagCurve, resampled: Reals, rest: LagCurve, resampled_rest: Reals, confidence: float = 0.95
) -> BootstrapMean:
    """How many steps more a layer lags than the rest of the network.

    Parameters
    ----------
    curve : LagCurve
        The layer's cross-correlation.
    resampled : ndarray[B, 2 M + 1] float64
        Its resamples, from the same counts as those of the rest.
    rest : LagCurve
        Cross-correlation of the rest.
    resampled_rest : ndarray[B, 2 M + 1] float64
        Its resamples.
    confidence : float
        Confidence of the interval.

    Returns
    -------
    BootstrapMean
        Difference of the lags of the maxima, in recorded steps, with blocks of iterations as units. Without interval
        and test below `MIN_COMPARED` steps, and where either maximum is not clear.

    Notes
    -----
    Each top is linearised in what the iterations add to the curve; the `BLOCKS` means of that are tested by Student's
    t. Resamples of blocks, at whose edges products of two iterations are cut apart, have up to twice its spread.
    """
    own, other = _tops(curve.correlation), _tops(rest.correlation)
    estimate = own - other
    reason = _too_short(curve)
    for top, drawn in ((own, resampled), (other, resampled_rest)):
        if float((np.abs(_top(drawn) - top) > _NEAR).mean()) > _UNCLEAR_SHARE:
            reason = reason or _UNCLEAR
    if reason is not None:
        return BootstrapMean(estimate, np.nan, np.nan, len(curve.products), reason)
    return _by_blocks(estimate, _top_parts(curve) - _top_parts(rest), confidence)


def _tops(correlation: Reals) -> float:
    """Find the top of one curve."""
    return float(_top(correlation[None])[0])


def _top_parts(curve: LagCurve) -> Reals:
    """Say how far each iteration moves the top of the curve, times T: ndarray[T] float64, of mean 0."""
    place = int(np.clip(curve.correlation.argmax(), 1, len(curve.lag) - 2))
    three = slice(place - 1, place + 2)
    before, top, after = curve.correlation[three]
    early, middle, late = curve.products[:, three].T
    bend = 2 * top - before - after
    if not bend > 0:
        return np.zeros(len(curve.products))
    return np.asarray(((late - early) - (after - before) * (2 * middle - early - late) / bend) / 2 / bend)


def _centre_parts(curve: LagCurve) -> Reals:
    """Say how far each iteration moves the centre of the curve, times T: ndarray[T] float64, of mean 0."""
    first, total = _moments(curve.correlation, curve)
    firsts, totals = _moments(curve.products, curve)
    return np.asarray((firsts - first / total * totals) / total)


def _by_blocks(estimate: float, parts: Reals, confidence: float, null: float = 0.0) -> BootstrapMean:
    """Put an estimate beside its interval and tests by Student's t over the means of blocks of iterations."""
    length = len(parts)
    means = parts[length % BLOCKS :].reshape(BLOCKS, -1).mean(1)
    error = float(means.std(ddof=1)) / np.sqrt(BLOCKS)
    if not error > 1e-12 * max(abs(estimate), 1.0):
        return BootstrapMean(estimate, np.nan, np.nan, length, _ALIKE)
    reach = float(stats.t.ppf((1 + confidence) / 2, BLOCKS - 1)) * error
    above, below = (float(tail((estimate - null) / error, BLOCKS - 1)) for tail in (stats.t.sf, stats.t.cdf))
    return BootstrapMean(estimate, estimate - reach, estimate + reach, length, None, above, below)


def _top(correlations: Reals) -> Reals:
    """Find the lag of each curve's maximum by a parabola through its three highest points; at an end, the end."""
    rows, middle = np.arange(len(correlations)), correlations.shape[1] // 2
    place = correlations.argmax(1)
    inner = np.clip(place, 1, correlations.shape[1] - 2)
    before, top, after = (correlations[rows, inner + step] for step in (-1, 0, 1))
    bend = 2 * top - before - after
    offset = np.divide((after - before) / 2, bend, out=np.zeros(len(rows)), where=(bend > 0) & (place == inner))
    return place - middle + offset


def mean_delay(curve: LagCurve, resampled: Reals, confidence: float = 0.95, null: float = 0.0) -> BootstrapMean:
    """Mean delay of steps behind the negative gradient.

    If Δ is −ḡ through a filter with the weights h, this is Σ ℓ h(ℓ) / Σ h(ℓ): m / (1 − m) for momentum m.

    Parameters
    ----------
    curve : LagCurve
        The cross-correlation.
    resampled : ndarray[B, 2 M + 1] float64
        Its resamples: `resample_counts` @ ``products`` / T.
    confidence : float
        Confidence of the interval.
    null : float
        Delay under the null of the tests, in recorded steps.

    Returns
    -------
    BootstrapMean
        Σ ℓ c(ℓ) / Σ c(ℓ), in recorded steps; refused where Σ c(ℓ) is not clearly positive. Without interval and test
        below `MIN_COMPARED` steps, and where the run is shorter than `DELAYS_IN_RUN` such delays.

    Notes
    -----
    The ratio is linearised in what the iterations add to the curve, whose `BLOCKS` means are tested by Student's t.
    c(ℓ) is weighted by T / (T − |ℓ|), and Σ c(ℓ) by 1 / (1 − (2 M + 1) / T): taking the means out of the series takes
    Σ c / T from every c(ℓ), which would double the delay where M is a quarter of T.
    """
    estimate = _centre(curve.correlation, resampled, curve, confidence)
    if estimate is None:
        return BootstrapMean(np.nan, np.nan, np.nan, len(curve.products), _WEAK)
    if reason := _too_short(curve):
        return BootstrapMean(estimate, np.nan, np.nan, len(curve.products), reason)
    if len(curve.products) < DELAYS_IN_RUN * abs(estimate):
        reason = f"{len(curve.products)} steps are fewer than {DELAYS_IN_RUN} such delays: the estimate is biased there"
        return BootstrapMean(estimate, np.nan, np.nan, len(curve.products), reason)
    return _by_blocks(estimate, _centre_parts(curve), confidence, null)


def delay_difference(
    curve: LagCurve, resampled: Reals, rest: LagCurve, resampled_rest: Reals, confidence: float = 0.95
) -> BootstrapMean:
    """How many steps more a layer is delayed than the rest of the network; parameters as in `lag_difference`.

    Returns
    -------
    BootstrapMean
        Difference of the mean delays, in recorded steps; refused where either sum of correlations is not clearly
        positive, and where `mean_delay` of either has no interval.
    """
    own, other = mean_delay(curve, resampled, confidence), mean_delay(rest, resampled_rest, confidence)
    if reason := own.reason or other.reason:
        return BootstrapMean(own.estimate - other.estimate, np.nan, np.nan, own.n, reason)
    return _by_blocks(own.estimate - other.estimate, _centre_parts(curve) - _centre_parts(rest), confidence)


def _too_short(curve: LagCurve) -> str | None:
    """Say why a run is too short to compare lags."""
    if len(curve.products) >= MIN_COMPARED:
        return None
    return f"at least {MIN_COMPARED} steps are needed; there are {len(curve.products)}"


def _moments(correlations: Reals, curve: LagCurve) -> tuple[Reals, Reals]:
    """Sum ℓ c(ℓ) and c(ℓ) over lags, without the bias of a finite run."""
    length = len(curve.products)
    weight = length / (length - np.abs(curve.lag))
    return correlations @ (weight * curve.lag), correlations @ weight / (1 - len(curve.lag) / length)


def _centre(correlation: Reals, resampled: Reals, curve: LagCurve, confidence: float) -> float | None:
    """Centre of a cross-correlation; None where its sum is not clearly positive."""
    first, total = _moments(correlation, curve)
    if total <= 0 or np.quantile(_moments(resampled, curve)[1], (1 - confidence) / 2) <= 0:
        return None
    return float(first / total)


def _interval(estimate: float, drawn: Reals, curve: LagCurve, confidence: float) -> BootstrapMean:
    """Put an estimate beside the quantiles of its resamples.

    Resamples are moved away from the estimate by as much as Student's t with the blocks of a run as its sample is wider
    than the normal: with few blocks, intervals of the resamples themselves miss too often.
    """
    length, tail = len(curve.products), (1 + confidence) / 2
    blocks = length / _block_length(length)
    wider = stats.t.ppf(tail, blocks - 1) / stats.norm.ppf(tail) * np.sqrt(blocks / (blocks - 1))
    drawn = estimate + wider * (drawn - estimate)
    low, high = np.quantile(drawn, [1 - tail, tail])
    return BootstrapMean(estimate, float(low), float(high), length)


def _block_length(length: int) -> float:
    """Choose the mean length of the blocks, of which at least ten fit into the run."""
    return min(max(4 * length ** (1 / 3), 1.0), length / 10)


def _standard(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Give columns mean 0 and variance 1."""
    centred = values - values.mean(0)
    return centred / centred.std(0)
