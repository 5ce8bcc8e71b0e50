"""Distributions fitted to allocated loss change by maximum likelihood."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

Reals = NDArray[np.float64]

_LEAST_FREEDOM = 0.05
_MOST_TIED = 0.04  # where one value has more, the likelihood of a Student t of so few degrees of freedom has no maximum

MIN_VALUES = 50
"""Fewest values that a distribution is fitted to."""

SAMPLE = 4000
"""Most values that a distribution is fitted to; a seeded subsample of more."""


@dataclass(frozen=True)
class Fit:
    """A fitted distribution, or the reason why there is none.

    Attributes
    ----------
    distribution : str
        "normal", "laplace", "student_t" or "double_weibull".
    parameters : dict of str to float
        Its parameters; location and scale in loss units. The double Weibull lies around 0 by definition.
    log_likelihood, aic : float
        At the fit, in nats; NaN where there is none.
    n : int
        Values fitted.
    reason : str, optional
        Why there is no fit.
    """

    distribution: str
    parameters: dict[str, float]
    log_likelihood: float
    aic: float
    n: int
    reason: str | None = None


def fit_distributions(values: ArrayLike) -> list[Fit]:
    """Fit normal, Laplace, Student-t and double-Weibull distributions by maximum likelihood.

    Descriptive: values of one run are dependent, so differences of AIC rank the shapes, and are no test.

    Parameters
    ----------
    values : array_like[N] float
        Allocated loss changes, loss units; zeros and values that are not finite are left out.

    Returns
    -------
    list of Fit
        One for each distribution, in a fixed order.

    Notes
    -----
    AIC = 2 k − 2 log L, with k = 2, 2, 3 and 2 parameters. The double Weibull's density, c/(2 s) |x/s|^(c−1)
    exp(−|x/s|^c), has its centre at 0, which separates helping from hurting: with a free centre and c < 1 its
    likelihood has no maximum.
    """
    sample = np.asarray(values, np.float64).ravel()
    sample = sample[np.isfinite(sample) & (sample != 0)]
    reason = _unfit(sample)
    if reason is not None:
        return [Fit(name, {}, np.nan, np.nan, len(sample), reason) for name in _FITS]
    unit = float(np.median(np.abs(sample)))
    return [_in_units(name, fit(sample / unit), unit, len(sample)) for name, fit in _FITS.items()]


def excess_kurtosis(values: ArrayLike) -> float:
    """Excess kurtosis of the non-zero values: 0 for a normal distribution; NaN where it has no meaning."""
    sample = np.asarray(values, np.float64).ravel()
    sample = sample[np.isfinite(sample) & (sample != 0)]
    if _unfit(sample) is not None:
        return float("nan")
    return float(stats.kurtosis(sample / np.abs(sample).max()))


def _unfit(sample: Reals) -> str | None:
    """Say why a sample cannot be fitted."""
    if len(sample) < MIN_VALUES:
        return f"at least {MIN_VALUES} non-zero values are needed; there are {len(sample)}"
    if np.ptp(sample) <= 1e-12 * np.abs(sample).max():
        return "the values are constant"
    tied = float(np.unique(sample, return_counts=True)[1].max()) / len(sample)
    return f"one value makes up {100 * tied:.0f} % of them, which no density fits" if tied > _MOST_TIED else None


def _in_units(name: str, fit: tuple[dict[str, float], float], unit: float, n: int) -> Fit:
    """Give a fit of scaled values in loss units."""
    parameters, likelihood = fit
    scaled = {key: value * unit if key in ("location", "scale") else value for key, value in parameters.items()}
    likelihood -= n * float(np.log(unit))
    return Fit(name, scaled, likelihood, 2 * len(parameters) - 2 * likelihood, n)


def _normal(sample: Reals) -> tuple[dict[str, float], float]:
    """Fit a normal distribution: mean and standard deviation."""
    location, scale = float(sample.mean()), float(sample.std())
    return {"location": location, "scale": scale}, float(stats.norm.logpdf(sample, location, scale).sum())


def _laplace(sample: Reals) -> tuple[dict[str, float], float]:
    """Fit a Laplace distribution: median and mean absolute deviation from it."""
    location = float(np.median(sample))
    scale = float(np.abs(sample - location).mean())
    return {"location": location, "scale": scale}, float(stats.laplace.logpdf(sample, location, scale).sum())


def _student_t(sample: Reals) -> tuple[dict[str, float], float]:
    """Fit a Student-t distribution by a simplex search over log degrees of freedom, location and log scale.

    The density is written out: scipy's, which checks its arguments, takes five times as long.
    """

    def loss(point: Reals) -> float:
        freedom, location, scale = np.exp(point[0]), point[1], np.exp(point[2])
        squares = ((sample - location) / scale) ** 2
        level = special.betaln(freedom / 2, 0.5) + np.log(freedom) / 2 + point[2]
        return float((freedom + 1) / 2 * np.log1p(squares / freedom).sum() + len(sample) * level)

    spread = float(np.median(np.abs(sample - np.median(sample))))
    start = np.array([np.log(3.0), np.median(sample), np.log(max(spread, 1e-6))])
    bounds: Any = [(np.log(_LEAST_FREEDOM), np.log(1e6)), (None, None), (None, None)]
    options: Any = {"xatol": 1e-5, "fatol": 1e-7, "maxiter": 2000}
    found = optimize.minimize(loss, start, method="Nelder-Mead", bounds=bounds, options=options)
    freedom, location, scale = np.exp(found.x[0]), found.x[1], np.exp(found.x[2])
    parameters = {"df": float(freedom), "location": float(location), "scale": float(scale)}
    return parameters, -float(found.fun)


def _double_weibull(sample: Reals) -> tuple[dict[str, float], float]:
    """Fit a double Weibull around 0: its shape solves one equation, which then gives the scale."""
    size = np.abs(sample)
    logs = np.log(size)
    largest = float(logs.max())

    def slope(shape: float) -> float:
        weight = np.exp(shape * (logs - largest))
        return float((weight * logs).sum() / weight.sum() - 1 / shape - logs.mean())

    shape = float(optimize.brentq(slope, 1e-3, 200.0)) if slope(200.0) > 0 else 200.0
    scale = float(np.exp(largest + np.log(np.exp(shape * (logs - largest)).mean()) / shape))
    likelihood = stats.dweibull.logpdf(sample, shape, 0, scale).sum()
    return {"shape": shape, "scale": scale}, float(likelihood)


_FITS: dict[str, Callable[[Reals], tuple[dict[str, float], float]]] = {
    "normal": _normal,
    "laplace": _laplace,
    "student_t": _student_t,
    "double_weibull": _double_weibull,
}
