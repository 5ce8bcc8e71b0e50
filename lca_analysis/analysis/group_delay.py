"""The group delay of steps behind the negative gradient."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lca_analysis.analysis.bootstrap import Interval
from lca_analysis.analysis.segments import Segments, few_segments, pooled

Reals = NDArray[np.float64]

MIN_SEGMENT_OF_DELAY = 128
"""Shortest segment, in recorded steps, on which a group delay has an interval."""


def group_delay(segments: Segments, confidence: float = 0.95) -> Interval:
    """Delay of the step behind −path gradient, from the slope of phase over frequency.

    Parameters
    ----------
    segments : Segments
        From `segment_spectra`.
    confidence : float
        Confidence of the interval, a delete-one jackknife over segments with Student's t.

    Returns
    -------
    Interval
        Coherence-weighted slope of the unwrapped phase over 2π, in recorded steps. Without interval for less than
        `MIN_SEGMENTS` segments and for segments shorter than `MIN_SEGMENT_OF_DELAY`: below 512 steps.
    """
    count = len(segments.cross)
    estimate = _slope(segments.frequency, *pooled(segments))
    if not np.isfinite(estimate):
        return Interval(np.nan, np.nan, np.nan, count, "steps and gradients do not vary at three frequencies")
    if reason := few_segments(segments, MIN_SEGMENT_OF_DELAY):
        return Interval(estimate, np.nan, np.nan, count, reason)
    without = np.array([_slope(segments.frequency, *pooled(_leave_out(segments, one))) for one in range(count)])
    error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    reach = float(stats.t.ppf((1 + confidence) / 2, count - 1) * error)
    return Interval(estimate, estimate - reach, estimate + reach, count)


def _leave_out(segments: Segments, one: int) -> Segments:
    """Leave out a segment."""
    kept = np.arange(len(segments.cross)) != one
    step, gradient = segments.power_step[kept], segments.power_gradient[kept]
    return Segments(segments.frequency, segments.cross[kept], step, gradient)


def _slope(frequency: Reals, coherence: Reals, phase: Reals) -> float:
    """Fit the coherence-weighted slope of phase over angular frequency; NaN without three frequencies."""
    known = np.isfinite(coherence) & np.isfinite(phase) & (frequency > 0)
    weight = coherence[known]
    if known.sum() < 3 or weight.sum() == 0:
        return float("nan")
    angle, place = np.unwrap(phase[known]), 2 * np.pi * frequency[known]
    centred = place - np.average(place, weights=weight)
    return float((weight * centred * angle).sum() / (weight * centred**2).sum())
