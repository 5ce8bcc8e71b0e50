"""A test of whether a series is periodic, against a background of AR(1) noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal

Reals = NDArray[np.float64]

MIN_CYCLES = 4
"""Fewest periods that must fit into the run for an oscillation to count."""

MIN_LENGTH = 32
"""Fewest iterations that periodicity is tested on."""

PERIODICITY_METHOD = "Fisher's g over an AR(1) background"

_GRID = np.linspace(-0.99, 0.99, 199)


@dataclass(frozen=True)
class Periodicity:
    """Periodicity of P series; NaN where a series has no test (constant, or too short).

    Attributes
    ----------
    period : ndarray[P] float64
        Period of the largest peak over the background, in recorded steps.
    share : ndarray[P] float64
        Fisher's g: its share of the whitened power, 0 to 1.
    p : ndarray[P] float64
        p-value, with the search over all frequencies accounted for.
    """

    period: Reals
    share: Reals
    p: Reals


def periodicity(series: ArrayLike) -> Periodicity:
    """Test series for a periodic component, one p-value for each.

    Null: the series is AR(1) noise, with a linear trend. Alternative: a sinusoid is added to it, of any frequency
    with at least `MIN_CYCLES` periods in the run. Unit of replication: the iteration, within one parameter; over
    parameters, control the false discovery rate. Assumptions: the variance is finite and constant. With heavy
    tails the test is conservative. Not valid where the noise has a spectral hump that is no oscillation (an AR(2)
    with complex roots is one), where the variance changes by orders of magnitude, or after a sharp transient.

    Parameters
    ----------
    series : array_like[T, P] float
        One series a column.

    Returns
    -------
    Periodicity
        P tests.

    Notes
    -----
    Fisher (1929): g = max R / Σ R over n frequencies, where R(f) is the periodogram over the AR(1) background that
    Whittle's likelihood fits to the same series at those frequencies; lower ones, where a drift lies, have no say.
    """
    values = np.asarray(series, np.float64)
    count = values.shape[1]
    nothing = np.full(count, np.nan)
    if len(values) < MIN_LENGTH:
        return Periodicity(nothing, nothing.copy(), nothing.copy())
    scale = np.abs(values).max(0)
    tested = np.flatnonzero(np.ptp(values, axis=0) > 1e-12 * scale)
    found = Periodicity(nothing, nothing.copy(), nothing.copy())
    if len(tested):
        found.period[tested], found.share[tested], found.p[tested] = _fisher(values[:, tested] / scale[tested])
    return found


def _fisher(values: Reals) -> tuple[Reals, Reals, Reals]:
    """Find period, g and p of columns that are not constant."""
    length = len(values)
    rows = np.arange(MIN_CYCLES, (length + 1) // 2)
    power = np.abs(np.fft.rfft(signal.detrend(values, axis=0), axis=0)[rows]) ** 2
    white = power * _inverse_background(power, 2 * np.pi * rows / length)
    peak, total = white.argmax(0), white.sum(0)
    share = np.divide(white.max(0), total, out=np.full(len(total), np.nan), where=total > 0)
    return length / rows[peak], share, fisher_p(share, len(rows))


def _inverse_background(power: Reals, angle: Reals) -> Reals:
    """Fit an AR(1) spectrum to each column by Whittle's likelihood; give its inverse, up to a factor."""
    shapes = 1 - 2 * _GRID * np.cos(angle)[:, None] + _GRID**2
    level = np.maximum(shapes.T @ power / len(power), np.finfo(np.float64).tiny)
    misfit = np.log(level) - np.log(shapes).mean(0)[:, None]
    return shapes[:, misfit.argmin(0)]


def fisher_p(share: ArrayLike, frequencies: int) -> Reals:
    """p-value of Fisher's g over a number of frequencies.

    Parameters
    ----------
    share : array_like[P] float
        g, the largest ordinate's share of the periodogram.
    frequencies : int
        How many ordinates were searched.

    Returns
    -------
    ndarray[P] float64
        P(g > share) for white noise.

    Notes
    -----
    1 − (1 − (1 − g)^(n−1))^n: one ordinate's exact tail, joined over n ordinates as if they were independent. Fisher's
    exact alternating sum agrees within 3 % below p = 0.1, and cannot be summed in floating point for large n.
    """
    values = np.asarray(share, np.float64)
    one = np.minimum((1 - values) ** (frequencies - 1), 1 - 1e-16)
    return -np.expm1(frequencies * np.log1p(-one))
