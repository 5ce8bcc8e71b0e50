"""Spectra of the segments of a run, pooled over parameters."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal

Reals = NDArray[np.float64]
Complexes = NDArray[np.complex128]

MIN_SEGMENTS = 6
"""Fewest segments that coherence is tested on."""

HOP = 5 / 8
"""Distance of segments over their length: Hann windows of half overlap depend on each other (p ≤ 0.05 in 8 %)."""


@dataclass(frozen=True)
class Segments:
    """Spectra of S segments on F frequencies, each the mean over parameters of unit power.

    Attributes
    ----------
    frequency : ndarray[F] float64
        From 0 to ½, cycles per recorded step.
    cross : ndarray[S, F] complex128
        Cross-spectrum of −path gradient and step.
    power_step, power_gradient : ndarray[S, F] float64
        Power of the steps and of the gradients.
    """

    frequency: Reals
    cross: Complexes
    power_step: Reals
    power_gradient: Reals

    @property
    def inner(self) -> NDArray[np.bool_]:
        """Frequencies other than 0 and ½, at which a phase has a meaning: ndarray[F] bool."""
        return (self.frequency > 0) & (self.frequency < 0.5)


def segment_spectra(step: ArrayLike, gradient: ArrayLike, size: int) -> Segments | None:
    """Divide series into Welch's segments (Hann windows, `HOP` apart, mean removed) and pool the parameters.

    Parameters
    ----------
    step, gradient : array_like[T, P] float
        Δ[t, i] and ḡ[t, i].
    size : int
        Length of a segment, in recorded steps.

    Returns
    -------
    Segments or None
        Each parameter counts the same; None when none has both a step and a gradient that vary.
    """
    moves, slopes = (_transforms(np.asarray(values, np.float64), size) for values in (step, gradient))
    power_step, power_gradient = (np.abs(one) ** 2 for one in (moves, slopes))
    total_step, total_gradient = power_step.sum((0, 1)), power_gradient.sum((0, 1))
    moving = (total_step > 0) & (total_gradient > 0)
    if not moving.any():
        return None
    scale = np.sqrt(total_step[moving]) * np.sqrt(total_gradient[moving])
    cross = -slopes[..., moving].conj() * moves[..., moving] / scale
    return Segments(
        np.asarray(np.fft.rfftfreq(size), np.float64),
        cross.mean(2),
        (power_step[..., moving] / total_step[moving]).mean(2),
        (power_gradient[..., moving] / total_gradient[moving]).mean(2),
    )


def _transforms(values: Reals, size: int) -> Complexes:
    """Transform every segment: [S, F, P]."""
    pieces = np.lib.stride_tricks.sliding_window_view(values, size, axis=0)[:: int(HOP * size)]
    centred = pieces - pieces.mean(2, keepdims=True)
    return np.fft.rfft(centred * signal.get_window("hann", size), axis=2).swapaxes(1, 2)


def few_segments(segments: Segments, shortest: int) -> str | None:
    """Say why segments are too few, or shorter than `shortest` steps."""
    count, size = len(segments.cross), 2 * (len(segments.frequency) - 1)
    if count >= MIN_SEGMENTS and size >= shortest:
        return None
    return f"at least {MIN_SEGMENTS} segments of {shortest} steps are needed; there are {count} of {size}"


def pooled(segments: Segments) -> tuple[Reals, Reals]:
    """Give squared coherence and phase by frequency; NaN where there is no power."""
    product = segments.power_step.sum(0) * segments.power_gradient.sum(0)
    cross = segments.cross.sum(0)
    coherence = np.divide(np.abs(cross) ** 2, product, out=np.full(len(product), np.nan), where=product > 0)
    return np.minimum(coherence, 1.0), np.where(product > 0, -np.angle(cross), np.nan)
