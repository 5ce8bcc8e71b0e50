"""Coherence and phase of steps and path-mean gradients, with segments of the run as units."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lca_analysis.analysis.bootstrap import Interval
from lca_analysis.analysis.segments import Segments, few_segments, pooled

Reals = NDArray[np.float64]
Complexes = NDArray[np.complex128]

COHERENCE_METHOD = "Welch segments; random-phase test, maximum over frequencies; jackknife over segments"
PHASE_METHOD = "Welch segments; Fieller interval over segments"

MIN_SEGMENT = 64
"""Shortest segment, in recorded steps, on which coherence and phase have intervals and a test: in shorter ones delays
of a few steps already lower the coherence and bend the phase."""

_DRAWS = 1999
_NO_POWER = "steps and gradients have no frequency between 0 and ½ in common"
_ALMOST_ONE = 1 - 1e-12


@dataclass(frozen=True)
class CoherenceTest:
    """Coherence and phase by frequency; NaN where there is none.

    Attributes
    ----------
    coherence, low, high : ndarray[F] float64
        Squared coherence, 0 to 1, and its interval.
    phase, phase_low, phase_high : ndarray[F] float64
        Phase by which the step follows −path gradient, rad, and its interval, whose ends may lie beyond ± π.
    statistic, p : ndarray[F] float64
        Squared resultant of the segments' cross-spectra over their squared sizes, 1 in the mean under the null; and
        p-value, with the search over all frequencies accounted for. NaN at 0 and ½.
    reason : str, optional
        Why there is neither interval nor test.
    """

    coherence: Reals
    low: Reals
    high: Reals
    phase: Reals
    phase_low: Reals
    phase_high: Reals
    statistic: Reals
    p: Reals
    reason: str | None = None


def coherence_test(segments: Segments, rng: np.random.Generator, confidence: float = 0.95) -> CoherenceTest:
    """Estimate coherence and phase at every frequency, and test whether there is any.

    Null: steps and gradients are independent, and stationary within segments: turning the steps of each segment by a
    phase of its own changes nothing. Alternative: they are coherent. Unit of replication: the segment; the parameters
    of a layer may depend on each other. Assumptions: segments are nearly independent. Not valid for two pure lines of
    equal frequency, which are coherent whatever made them; a delay that is not small against a segment lowers the
    coherence. Refused below `MIN_SEGMENTS` segments, and for segments shorter than `MIN_SEGMENT`: below 256 steps.

    Parameters
    ----------
    segments : Segments
        From `segment_spectra`.
    rng : numpy.random.Generator
        Source of the random phases.
    confidence : float
        Confidence of the intervals, at each frequency by itself.

    Returns
    -------
    CoherenceTest
        Intervals and p-values, (b + 1) / (B + 1) for the b of B sets of phases whose largest statistic over all
        frequencies reaches the observed one: never 0.

    Notes
    -----
    All frequencies are turned together, so that the maximum keeps their dependence (Westfall and Young 1993).
    Coherence: delete-one jackknife of atanh |γ| with Student's t (Thomson and Chave 1991). Phase: the angles at which
    the segments' quadrature spectrum does not differ from 0 by a t test (Fieller 1954); none where that excludes no
    angle.
    """
    coherence, phase = pooled(segments)
    statistic, p = _random_phases(segments, rng)
    reason = few_segments(segments, MIN_SEGMENT) or (None if np.isfinite(p).any() else _NO_POWER)
    if reason is not None:
        low, high, below, above, statistic, p = np.full((6, len(coherence)), np.nan)
        return CoherenceTest(coherence, low, high, phase, below, above, statistic, p, reason)
    low, high = _jackknife(segments, confidence)
    below, above = _fieller(segments.cross, phase, confidence)
    return CoherenceTest(coherence, low, high, phase, below, above, statistic, p)


def at_largest(segments: Segments, test: CoherenceTest, confidence: float = 0.95) -> tuple[int, Interval, Interval]:
    """Choose the frequency of the largest statistic; give coherence and phase with intervals that allow for it.

    Parameters
    ----------
    segments : Segments
        From `segment_spectra`.
    test : CoherenceTest
        Their test, which was not refused.
    confidence : float
        Confidence of the intervals over all frequencies together (Bonferroni).

    Returns
    -------
    tuple of (int, Interval, Interval)
        Place of the frequency, squared coherence, and phase in rad.
    """
    each = 1 - (1 - confidence) / max(int(np.isfinite(test.statistic).sum()), 1)
    place = int(np.nanargmax(test.statistic))
    low, high = _jackknife(segments, each)
    below, above = _fieller(segments.cross, test.phase, each)
    count = len(segments.cross)
    coherence = Interval(float(test.coherence[place]), float(low[place]), float(high[place]), count)
    reason = None if np.isfinite(below[place]) else "the segments exclude no phase"
    phase = Interval(float(test.phase[place]), float(below[place]), float(above[place]), count, reason)
    return place, coherence, phase


def _random_phases(segments: Segments, rng: np.random.Generator) -> tuple[Reals, Reals]:
    """Hold the segments' resultant against those of random phases."""
    size = (np.abs(segments.cross) ** 2).sum(0)
    tested = segments.inner & (size > 0)
    statistic, p = np.full(len(size), np.nan), np.full(len(size), np.nan)
    if not tested.any():
        return statistic, p
    unit = segments.cross[:, tested] / np.sqrt(size[tested])
    statistic[tested] = np.abs(unit.sum(0)) ** 2
    turns = np.exp(2j * np.pi * rng.random((_DRAWS, len(unit))))
    largest = np.sort((np.abs(turns @ unit) ** 2).max(1))
    reached = _DRAWS - np.searchsorted(largest, statistic[tested] * _ALMOST_ONE)
    p[tested] = (reached + 1) / (_DRAWS + 1)
    return statistic, p


def _jackknife(segments: Segments, confidence: float) -> tuple[Reals, Reals]:
    """Interval of the squared coherence by leaving out one segment at a time."""
    count = len(segments.cross)
    cross, step, gradient = (
        values.sum(0) - np.concatenate([np.zeros((1, values.shape[1])), values])
        for values in (segments.cross, segments.power_step, segments.power_gradient)
    )
    product = step * gradient
    size = np.divide(np.abs(cross), np.sqrt(product), out=np.full(product.shape, np.nan), where=product > 0)
    angle = np.arctanh(np.minimum(size, _ALMOST_ONE))
    error = np.sqrt((count - 1) / count * ((angle[1:] - angle[1:].mean(0)) ** 2).sum(0))
    reach = float(stats.t.ppf((1 + confidence) / 2, count - 1)) * error
    return np.tanh(np.maximum(angle[0] - reach, 0)) ** 2, np.tanh(angle[0] + reach) ** 2


def _fieller(cross: Complexes, phase: Reals, confidence: float) -> tuple[Reals, Reals]:
    """Interval of the phase: the angles at which the turned segments have no imaginary part in the mean."""
    count = len(cross)
    turned = cross * np.exp(1j * phase)
    mean, centred = turned.mean(0).real, turned - turned.mean(0)
    scale = float(stats.t.ppf((1 + confidence) / 2, count - 1)) ** 2 / (count * (count - 1))
    along, across = (scale * (part**2).sum(0) for part in (centred.real, centred.imag))
    both = scale * (centred.real * centred.imag).sum(0)
    bend = mean**2 - along
    known = bend > 0
    bend = np.where(known, bend, np.nan)
    root = np.sqrt(both**2 + bend * across)
    return phase - np.arctan((root - both) / bend), phase + np.arctan((root + both) / bend)
