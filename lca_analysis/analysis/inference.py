"""The mean of an autocorrelated series: its interval and its test."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lca_analysis.errors import ArgumentError

MIN_ITERATIONS = 20
"""Fewest iterations that a mean is tested on."""

MIN_EFFECTIVE = 2.0
"""Fewest effective (independent) iterations that a mean is tested on."""

HAC_METHOD = "HAC (Newey–West after AR(1) prewhitening, t on the effective sample size)"

NO_VALUES = "there are no values"
CONSTANT = "the series is constant"

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class MeanTest:
    """Means of N series, each with an interval and a test; NaN where there is none.

    Attributes
    ----------
    estimate, low, high : ndarray[N] float64
        Mean and the ends of its two-sided interval, in the series' unit.
    standard_error : ndarray[N] float64
        Standard error of the mean, in the series' unit.
    statistic, p : ndarray[N] float64
        t statistic and p-value.
    n : ndarray[N] int64
        Iterations used: those that are not NaN.
    effective_n : ndarray[N] float64
        Independent iterations that carry the same information, T (1 − φ) / (1 + φ).
    reason : tuple of (str or None)
        Why a series has no interval and no test.
    """

    estimate: Reals
    low: Reals
    high: Reals
    standard_error: Reals
    statistic: Reals
    p: Reals
    n: NDArray[np.int64]
    effective_n: Reals
    reason: tuple[str | None, ...]


@dataclass(frozen=True)
class _Moments:
    """Mean, standard error and effective sample size of each column; NaN where `reason` says why."""

    mean: Reals
    error: Reals
    effective: Reals
    n: NDArray[np.int64]
    reason: list[str | None]


def hac_mean(
    series: ArrayLike, null: float = 0.0, alternative: str = "two-sided", confidence: float = 0.95
) -> MeanTest:
    """Estimate and test the mean of series that are autocorrelated and heteroskedastic.

    Null: the mean is `null`. Alternative: it is not, is greater, or is less. Unit of replication: the iteration.
    Assumptions: weak dependence whose bulk an AR(1) describes; a finite variance. Not valid for a series that
    wanders like a random walk (refused below `MIN_EFFECTIVE` effective iterations), for fewer than
    `MIN_ITERATIONS` iterations (refused), nor, one-sided, for strongly skewed values in short runs. Its far tails
    are too light for a correction of several tests below `multiplicity.MIN_EFFECTIVE` effective iterations (refused).
    A trend counts as dependence, and widens the interval.

    Parameters
    ----------
    series : array_like[T] or [T, N] float
        The series, one a column; NaN values are left out.
    null : float
        Mean under the null, in the series' unit.
    alternative : str
        "two-sided", "greater" or "less".
    confidence : float
        Confidence of the interval, which is two-sided always.

    Returns
    -------
    MeanTest
        The N means.

    Raises
    ------
    ArgumentError
        The alternative or the confidence has no meaning.

    Notes
    -----
    Andrews and Monahan (1992): the series is prewhitened by an AR(1) whose coefficient is corrected for its
    bias by (1 + 3φ)/T (Kendall 1954), the residuals' long-run variance is Newey and West's (1987) with Andrews'
    (1991) automatic bandwidth, and is recoloured by 1/(1 − φ)². The statistic is read from a Student t with the
    `degrees_of_freedom` of that variance. ``benchmarks/calibration.py`` prints its rejection rate.
    """
    if alternative not in ("two-sided", "greater", "less"):
        raise ArgumentError(f"alternative is {alternative!r}; use two-sided, greater or less")
    if not 0 < confidence < 1:
        raise ArgumentError(f"confidence is {confidence}; use a number between 0 and 1")
    values = _as_columns(series)
    return _test(_moments(values), null, alternative, confidence)


def _as_columns(series: ArrayLike) -> Reals:
    """Give the series as columns."""
    values = np.asarray(series, np.float64)
    if values.ndim not in (1, 2):
        raise ArgumentError(f"series has {values.ndim} axes; give [iterations] or [iterations, series]")
    return values[:, None] if values.ndim == 1 else values


def _test(found: _Moments, null: float, alternative: str, confidence: float) -> MeanTest:
    """Turn means and standard errors into intervals and p-values."""
    freedom = degrees_of_freedom(found.n, found.effective)
    statistic = (found.mean - null) / found.error
    reach = stats.t.ppf((1 + confidence) / 2, freedom) * found.error
    tails = {
        "two-sided": 2 * stats.t.sf(np.abs(statistic), freedom),
        "greater": stats.t.sf(statistic, freedom),
        "less": stats.t.cdf(statistic, freedom),
    }
    return MeanTest(
        found.mean,
        found.mean - reach,
        found.mean + reach,
        found.error,
        statistic,
        np.asarray(tails[alternative]),
        found.n,
        found.effective,
        tuple(found.reason),
    )


def degrees_of_freedom(length: ArrayLike, effective: ArrayLike) -> Reals:
    """Count the degrees of freedom of the long-run variance of an AR(1).

    Parameters
    ----------
    length, effective : array_like[N] float
        Iterations T, and the effective sample size T (1 − φ) / (1 + φ).

    Returns
    -------
    ndarray[N] float64
        1 / (1 / T + 2 / effective), at least 1.

    Notes
    -----
    The relative variance of the residuals' variance is 2 / T, and that of 1 / (1 − φ)² for the estimated φ, of variance
    (1 − φ²) / T, is 4 / effective (delta method). Satterthwaite's (1946) degrees of freedom are two over their sum.
    Without the second part the far tails, which corrections of several tests ask for, are too light.
    """
    count, independent = np.asarray(length, np.float64), np.asarray(effective, np.float64)
    return np.maximum(count * independent / (independent + 2 * count), 1.0)


def _moments(values: Reals) -> _Moments:
    """Find the moments of each column: those without NaN at once, the others one by one."""
    count = values.shape[1]
    found = _Moments(
        np.full(count, np.nan),
        np.full(count, np.nan),
        np.full(count, np.nan),
        np.isfinite(values).sum(0),
        [None] * count,
    )
    whole = np.flatnonzero(found.n == len(values))
    _fill(found, whole, values[:, whole])
    for column in np.flatnonzero(found.n < len(values)):
        _fill(found, np.array([column]), values[np.isfinite(values[:, column]), column][:, None])
    return found


def _fill(found: _Moments, columns: NDArray[np.int64], values: Reals) -> None:
    """Fill in the moments of columns that hold no NaN, or the reason why there are none."""
    length = len(values)
    if length == 0:
        _refuse(found, columns, NO_VALUES)
        return
    found.mean[columns] = values.mean(0)
    if length < MIN_ITERATIONS:
        _refuse(found, columns, few_iterations(length))
        return
    scale = np.abs(values).max(0)
    varies = np.ptp(values, axis=0) > 1e-12 * scale
    _refuse(found, columns[~varies], CONSTANT)
    columns, centred = columns[varies], values[:, varies] - values[:, varies].mean(0)
    spread = centred.std(0)
    error, effective = _standard_error(centred / spread)
    usable = effective >= MIN_EFFECTIVE
    found.error[columns[usable]] = (error * spread)[usable]
    found.effective[columns] = effective
    for column, size in zip(columns[~usable], effective[~usable], strict=True):
        found.reason[column] = too_dependent(length, size)


def few_iterations(length: int) -> str:
    """Say that there are too few iterations."""
    return f"at least {MIN_ITERATIONS} iterations are needed; there are {length}"


def too_dependent(length: int, effective: float) -> str:
    """Say that too few independent iterations are left."""
    return f"too strongly autocorrelated: {length} iterations count as {effective:.1f} independent ones"


def _refuse(found: _Moments, columns: NDArray[np.int64], reason: str) -> None:
    """Note why columns have no test."""
    for column in columns:
        found.reason[column] = reason


def _standard_error(centred: Reals) -> tuple[Reals, Reals]:
    """Find the standard error of the mean and the effective sample size of centred, scaled columns."""
    length = len(centred)
    residual, coefficient, effective = prewhiten(centred)
    variance = long_run_variance(residual) * length / (length - 2)
    return np.sqrt(variance / length) / (1 - coefficient), effective


def prewhiten(centred: Reals) -> tuple[Reals, Reals, Reals]:
    """Take an AR(1) out of centred columns.

    Parameters
    ----------
    centred : ndarray[T, N] float64
        Columns whose mean is 0, none constant.

    Returns
    -------
    residual : ndarray[T − 1, N] float64
        What is left, of mean 0.
    coefficient : ndarray[N] float64
        The AR(1) coefficient φ, corrected for its bias by (1 + 3φ) / T.
    effective : ndarray[N] float64
        Effective sample size T (1 − φ) / (1 + φ).
    """
    length = len(centred)
    coefficient = autoregression(centred)
    coefficient = np.clip(coefficient + (1 + 3 * coefficient) / length, -0.97, 0.9999)
    residual = centred[1:] - coefficient * centred[:-1]
    return residual - residual.mean(0), coefficient, length * (1 - coefficient) / (1 + coefficient)


def autoregression(centred: Reals) -> Reals:
    """Fit an AR(1) to centred columns by least squares; 0 where a column is zero."""
    power = (centred[:-1] ** 2).sum(0)
    return np.divide((centred[1:] * centred[:-1]).sum(0), power, out=np.zeros_like(power), where=power > 0)


def long_run_variance(centred: Reals, lags: NDArray[np.int64] | None = None) -> Reals:
    """Estimate the long-run variance of centred columns by Newey and West's weights.

    Parameters
    ----------
    centred : ndarray[T, N] float64
        Columns whose mean is 0.
    lags : ndarray[N] int64, optional
        Greatest lag of each; None chooses Andrews' (1991) for an AR(1).

    Returns
    -------
    ndarray[N] float64
        Σ_j w_j γ_j with w_j = 1 − |j| / (lags + 1), in the squared unit of the columns.
    """
    length = len(centred)
    chosen = automatic_lags(centred) if lags is None else lags
    total = (centred**2).sum(0) / length
    for lag in range(1, int(chosen.max(initial=0)) + 1):
        weight = np.clip(1 - lag / (chosen + 1), 0, None)
        total = total + 2 * weight * (centred[lag:] * centred[:-lag]).sum(0) / length
    return total


def automatic_lags(centred: Reals) -> NDArray[np.int64]:
    """Choose the greatest lag of each centred column by Andrews' (1991) rule for an AR(1)."""
    length = len(centred)
    coefficient = np.clip(autoregression(centred), -0.97, 0.97)
    strength = 4 * coefficient**2 / ((1 - coefficient) ** 2 * (1 + coefficient) ** 2)
    lags = np.floor(1.1447 * (strength * length) ** (1 / 3))
    return np.minimum(lags, length // 4).astype(np.int64)
