"""The stationary block bootstrap over iterations."""

from dataclasses import dataclass

import numpy as np
from arch.bootstrap import optimal_block_length
from numpy.typing import ArrayLike, NDArray

from lca_analysis.analysis.inference import MIN_ITERATIONS

BOOTSTRAP_METHOD = "stationary block bootstrap over iterations, percentile interval"
REPEATS = 999

_MIN_BLOCKS = 10


@dataclass(frozen=True)
class Interval:
    """An interval, or the reason why there is none.

    Attributes
    ----------
    estimate, low, high : float
        Estimate and ends, in the series' unit; NaN where there are none.
    n : int
        Iterations used.
    reason : str, optional
        Why there is no interval.
    """

    estimate: float
    low: float
    high: float
    n: int
    reason: str | None = None


def bootstrap_mean(
    series: ArrayLike, rng: np.random.Generator, confidence: float = 0.95, repeats: int = REPEATS
) -> Interval:
    """Estimate the mean of an autocorrelated series with a block-bootstrap interval.

    Parameters
    ----------
    series : array_like[T] float
        The series; NaN values are left out.
    rng : numpy.random.Generator
        Source of the resamples.
    confidence : float
        Confidence of the percentile interval.
    repeats : int
        Number of resamples.

    Returns
    -------
    Interval
        The mean and its interval; refused where fewer than ten blocks fit into the run, since percentile
        intervals then cover far less than they claim.

    Notes
    -----
    Politis and Romano (1994), with the automatic block length of Politis and White (2004, corrected 2009).
    """
    values = np.asarray(series, np.float64)
    values = values[np.isfinite(values)]
    mean = float(values.mean()) if len(values) else float("nan")
    block, reason = block_length(values)
    if reason is not None:
        return Interval(mean, float("nan"), float("nan"), len(values), reason)
    means = values[resample(len(values), block, repeats, rng)].mean(1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean, float(low), float(high), len(values))


def block_length(values: NDArray[np.float64]) -> tuple[float, str | None]:
    """Choose the mean length of the blocks of a series without NaN, or say why it cannot be resampled.

    Parameters
    ----------
    values : ndarray[T] float64
        The series.

    Returns
    -------
    tuple of (float, str or None)
        Mean length in iterations (NaN without one), and the reason why there is none.
    """
    nothing = float("nan")
    if len(values) < MIN_ITERATIONS:
        return nothing, f"at least {MIN_ITERATIONS} iterations are needed; there are {len(values)}"
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return nothing, "the series is constant"
    scaled = (values - values.mean()) / values.std()
    block = float(optimal_block_length(scaled)["stationary"].iloc[0])
    block = max(block, 1.0) if np.isfinite(block) else 1.0
    if block * _MIN_BLOCKS > len(values):
        return nothing, (
            f"too strongly autocorrelated for blocks: {len(values)} iterations hold fewer than "
            f"{_MIN_BLOCKS} blocks of {block:.0f}"
        )
    return block, None


def resample(length: int, block: float, repeats: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the iterations of stationary bootstrap samples.

    Parameters
    ----------
    length : int
        Iterations T of the series.
    block : float
        Mean length of a block.
    repeats : int
        Number of samples.
    rng : numpy.random.Generator
        Source of the samples.

    Returns
    -------
    ndarray[repeats, T] int64
        Indices into the series; blocks wrap round its end.
    """
    place = np.arange(length)
    begins = rng.random((repeats, length)) < 1 / block
    begins[:, 0] = True
    first = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    starts = rng.integers(length, size=(repeats, length))
    return (np.take_along_axis(starts, first, axis=1) + place - first) % length
