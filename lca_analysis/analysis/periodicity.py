"""A test of whether a series is periodic, against a background of AR(1) noise."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal, special, stats

Reals = NDArray[np.float64]

MIN_CYCLES = 4
"""Fewest periods that must fit into the run for an oscillation to count."""

MIN_LENGTH = 32
"""Fewest iterations that periodicity is tested on."""

PERIODICITY_METHOD = "Fisher's g over an AR(1) background, innovations clipped, humps excluded"

_GRID = np.linspace(-0.99, 0.99, 199)
_CLIP = 2.0
_NORMAL_MEDIAN = float(stats.norm.ppf(0.75))
_LINE = 2
_HUMPS = (5, 10, 20, 40, 80)
_HUMP_LEVEL = 0.001


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

    Null: the series is noise with a linear trend: AR(1), or with a spectrum that is wider than a line. Alternative:
    a sinusoid is added to it, of any frequency with at least `MIN_CYCLES` periods in the run. Unit of replication:
    the iteration, within one parameter; over parameters, control the false discovery rate. Assumption: innovations
    are independent; clipping makes their distribution matter little, a slowly changing variance neither. Not valid
    for a noise resonance too narrow to tell from a line, such as an AR(2) with roots of modulus over 0.95 at 500
    iterations, or over 0.7 at 100: it counts as periodic. Refused below `MIN_LENGTH` iterations.

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
    Fisher (1929): g = max R / Σ R over n frequencies of the periodogram R of the series' innovations, after lower
    frequencies, where a drift lies, are removed. The AR(1) is fitted to the same frequencies by Whittle's likelihood.
    Innovations are clipped at two robust standard deviations: a few large ones otherwise make the test conservative
    (rates of 0.015 to 0.03 under Student-t₃) and hide oscillations. Where the peak's neighbourhood, of any of several
    widths, holds more than its share of the power (F test at 0.001), the peak must also stand out of that.
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
    white = np.abs(np.fft.rfft(_clipped(_innovations(values, rows)), axis=0)[rows]) ** 2
    peak, total = white.argmax(0), white.sum(0)
    share = np.divide(white.max(0), total, out=np.full(len(total), np.nan), where=total > 0)
    return length / rows[peak], share, np.fmax(fisher_p(share, len(rows)), _hump_p(white, peak))


def _innovations(values: Reals, rows: NDArray[np.int64]) -> Reals:
    """Remove trend and slow frequencies from columns, then what an AR(1) predicts; on the ring of iterations."""
    length = len(values)
    transform = np.fft.rfft(signal.detrend(values, axis=0), axis=0)
    transform[: rows[0]] = 0
    coefficient = _whittle(np.abs(transform[rows]) ** 2, length)
    fast = np.fft.irfft(transform, length, axis=0)
    return fast - coefficient * np.roll(fast, 1, axis=0)


def _clipped(innovations: Reals) -> Reals:
    """Clip columns at two robust standard deviations; leave a column as it is whose median size is 0."""
    reach = _CLIP / _NORMAL_MEDIAN * np.median(np.abs(innovations), axis=0)
    reach[reach == 0] = np.inf
    return np.clip(innovations, -reach, reach)


@lru_cache(maxsize=4)
def _shapes(length: int) -> tuple[Reals, Reals]:
    """Give 1 / spectrum of an AR(1) of each coefficient, at the frequencies that count, and its mean logarithm."""
    angle = 2 * np.pi * np.arange(MIN_CYCLES, (length + 1) // 2) / length
    shapes = 1 - 2 * _GRID * np.cos(angle)[:, None] + _GRID**2
    return shapes, np.log(shapes).mean(0)


def _whittle(power: Reals, length: int) -> Reals:
    """Fit the coefficient of an AR(1) to each column's periodogram by Whittle's likelihood."""
    shapes, mean_log = _shapes(length)
    level = np.maximum(shapes.T @ power / len(power), np.finfo(np.float64).tiny)
    misfit = np.log(level) - mean_log[:, None]
    return _GRID[misfit.argmin(0)]


def _hump_p(white: Reals, peak: NDArray[np.int64]) -> Reals:
    """p-value of each column's peak against its neighbourhood, where that is a hump of the spectrum; 0 elsewhere."""
    count, columns = white.shape
    running = np.concatenate([np.zeros((1, columns)), np.cumsum(white, axis=0)])
    worst = np.zeros(columns)
    for width in (width for width in _HUMPS if width <= count // 4):
        left, n_left = _between(running, peak - _LINE - width, peak - _LINE)
        right, n_right = _between(running, peak + _LINE + 1, peak + _LINE + 1 + width)
        line, n_line = _between(running, peak - _LINE, peak + _LINE + 1)
        near, n_near = left + right, n_left + n_right
        mean, n_rest = near / n_near, count - n_near - n_line
        rest = (running[-1] - near - line) / n_rest
        ratio = np.divide(mean, rest, out=np.full(columns, np.inf), where=rest > 0)
        hump = special.fdtrc(2 * n_near, 2 * n_rest, ratio) < _HUMP_LEVEL
        height = np.divide(white.max(0), mean, out=np.full(columns, np.inf), where=mean > 0)
        alone = -np.expm1(count * np.log1p(-((1 + height / n_near) ** -n_near.astype(np.float64))))
        worst = np.where(hump, np.maximum(worst, alone), worst)
    return worst


def _between(running: Reals, start: NDArray[np.int64], stop: NDArray[np.int64]) -> tuple[Reals, NDArray[np.int64]]:
    """Sum each column's power from one row up to another, as far as there are any; give the number of rows too."""
    low, high = (np.clip(place, 0, len(running) - 1) for place in (start, stop))
    column = np.arange(running.shape[1])
    return running[high, column] - running[low, column], high - low


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
