"""Spectra of steps and path-mean gradients, and the allocation of a layer's LCA to frequencies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal

from lca_analysis.analysis.inference import autoregression
from lca_analysis.errors import ArgumentError

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Spectra:
    """Spectra of a group of parameters on F frequencies, in cycles per recorded step.

    Attributes
    ----------
    frequency : ndarray[F] float64
        From 0 to ½.
    power_step, power_gradient : ndarray[F] float64
        One-sided power spectral densities, mean over the parameters; squared unit × steps.
    background_step : ndarray[F] float64
        Power of AR(1) processes with the steps' variances and lag-one correlations.
    lca : ndarray[F] float64
        Loss change allocated to the frequencies nearest to each, loss units.
    """

    frequency: Reals
    power_step: Reals
    power_gradient: Reals
    background_step: Reals
    lca: Reals


def segment_length(length: int) -> int:
    """Choose the length of Welch's segments: a power of two, at most a quarter of the series and 256."""
    return int(min(256, 2 ** int(np.log2(max(length // 4, 8)))))


def spectra(step: ArrayLike, gradient: ArrayLike, segment: int | None = None) -> Spectra:
    """Estimate the spectra of steps and path-mean gradients, and the LCA at each frequency.

    Coherence and phase: see `coherence.coherence_test`.

    Parameters
    ----------
    step, gradient : array_like[T, P] float
        Δ[t, i] and ḡ[t, i] of P parameters.
    segment : int, optional
        Length of Welch's segments, in recorded steps; None chooses `segment_length`.

    Returns
    -------
    Spectra
        On segment / 2 + 1 frequencies.

    Notes
    -----
    Welch (1967), Hann windows, half overlapping, mean removed from each. Spectral LCA: see `spectral_lca`.
    """
    moves, slopes = np.asarray(step, np.float64), np.asarray(gradient, np.float64)
    if moves.shape != slopes.shape or moves.ndim != 2:
        raise ArgumentError(f"step {moves.shape} and gradient {slopes.shape} must both be [iterations, parameters]")
    size = segment or segment_length(len(moves))
    frequency, power_step = signal.welch(moves, nperseg=size, axis=0)
    _, power_gradient = signal.welch(slopes, nperseg=size, axis=0)
    return Spectra(
        frequency,
        power_step.mean(1),
        power_gradient.mean(1),
        background(moves, frequency).mean(1),
        _onto(size, len(moves), spectral_lca(moves, slopes)),
    )


def spectral_lca(step: ArrayLike, gradient: ArrayLike) -> Reals:
    """Allocate the LCA of parameters to the frequencies of the whole series, exactly.

    Parameters
    ----------
    step, gradient : array_like[T, P] float
        Δ[t, i] and ḡ[t, i].

    Returns
    -------
    ndarray[T // 2 + 1] float64
        Loss change at the frequencies k / T cycles per step; the sum is Σ_t Σ_i ḡ[t, i] Δ[t, i].

    Notes
    -----
    Parseval: Σ_t ḡ_t Δ_t = (1/T) Σ_f Re[Ĝ(f)* Δ̂(f)]; a frequency and its negative are counted together.
    """
    moves, slopes = np.asarray(step, np.float64), np.asarray(gradient, np.float64)
    length = len(moves)
    cospectrum = (np.fft.rfft(slopes, axis=0).conj() * np.fft.rfft(moves, axis=0)).real.sum(1) / length
    cospectrum[1 : (length + 1) // 2] *= 2
    return cospectrum


def background(series: Reals, frequency: Reals) -> Reals:
    """Power that AR(1) noise of the same variance and lag-one correlation has.

    Parameters
    ----------
    series : ndarray[T, P] float64
        One series a column.
    frequency : ndarray[F] float64
        Cycles per step.

    Returns
    -------
    ndarray[F, P] float64
        One-sided power spectral density.
    """
    centred = series - series.mean(0)
    coefficient = np.clip(autoregression(centred), -0.99, 0.99)
    innovation = (centred**2).mean(0) * (1 - coefficient**2)
    turn = np.cos(2 * np.pi * frequency)[:, None]
    return 2 * innovation / (1 - 2 * coefficient * turn + coefficient**2)


def _onto(segment: int, length: int, cospectrum: Reals) -> Reals:
    """Sum the frequencies k / length into the nearest of the coarser grid j / segment."""
    nearest = np.rint(np.arange(len(cospectrum)) * (segment / length)).astype(np.int64)
    summed = np.bincount(np.minimum(nearest, segment // 2), cospectrum, segment // 2 + 1)
    return summed.astype(np.float64)
