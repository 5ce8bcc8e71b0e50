"""A test of whether a series is periodic, against a background of AR(1) noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lca_analysis.analysis.inference import autoregression

Reals = NDArray[np.float64]

MIN_CYCLES = 4
"""Fewest periods that must fit into the run for an oscillation to count."""

MIN_LENGTH = 32
"""Fewest iterations that periodicity is tested on."""

PERIODICITY_METHOD = "Fisher's g of the residual of an AR(1)"


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

    Null: the series is AR(1) noise. Alternative: a sinusoid is added to it, of any frequency with at least
    `MIN_CYCLES` periods in the run. Unit of replication: the iteration, within one parameter; over parameters,
    control the false discovery rate. Assumptions: a constant variance and a finite one. Not valid where the
    noise has a spectral hump that is no oscillation (an AR(2) with complex roots is one), or where the variance
    changes by orders of magnitude.

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
    Fisher (1929): g = max I(f) / Σ I(f), over the periodogram I of the AR(1) residual, which is the periodogram
    over the background fitted to the same series. P(g > x) is n (1 − x)^(n−1) for one frequency's tail
    and is joined over the n frequencies as 1 − (1 − (1 − x)^(n−1))^n, exact to second order.
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
    centred = values - values.mean(0)
    residual = centred[1:] - autoregression(centred) * centred[:-1]
    length = len(residual)
    power = np.abs(np.fft.rfft(residual - residual.mean(0), axis=0)) ** 2
    rows = np.arange(MIN_CYCLES, (length - 1) // 2 + 1)
    power = power[rows]
    peak = power.argmax(0)
    share = power.max(0) / power.sum(0)
    return length / rows[peak], share, fisher_p(share, len(rows))


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
    """
    values = np.asarray(share, np.float64)
    one = np.minimum((1 - values) ** (frequencies - 1), 1 - 1e-16)
    return -np.expm1(frequencies * np.log1p(-one))
