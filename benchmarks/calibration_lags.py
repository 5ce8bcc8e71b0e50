"""Simulated nulls of lags, delays, coherence and phase: for ``calibration.py``."""

import numpy as np
from calibration_measures import Case, Reals
from scipy.signal import lfilter

from lca_analysis.analysis.coherence import coherence_test
from lca_analysis.analysis.group_delay import group_delay
from lca_analysis.analysis.lags import (
    LagCurve,
    delay_difference,
    lag_curve,
    lag_difference,
    mean_delay,
    resample_counts,
)
from lca_analysis.analysis.segments import segment_spectra
from lca_analysis.analysis.spectra import segment_length

DELAY = 2
_PARAMETERS = 8
_REPEATS = 299


def _gradient(case: Case, rng: np.random.Generator) -> Reals:
    """Draw the gradients of parameters that depend on each other."""
    return case.draw(rng, _PARAMETERS) + 0.5 * case.draw(rng, 1)


def _by_momentum(case: Case, rng: np.random.Generator, momentum: float) -> LagCurve:
    """Cross-correlate gradients with the steps that a momentum makes of them and of minibatch noise."""
    gradient = _gradient(case, rng)
    found = lag_curve(
        lfilter([1.0], [1.0, -momentum], rng.standard_normal(gradient.shape) - gradient, axis=0), gradient
    )
    if found is None:
        raise ValueError("nothing moves")
    return found


def lag_rates(case: Case, rng: np.random.Generator, repeats: int, momentum: float = 0.8) -> Reals:
    """p-values within a run: lag and mean delay of two equal layers, mean delay against the momentum: [repeats, 3]."""
    found = []
    for _ in range(repeats):
        counts = resample_counts(case.length, rng, _REPEATS) / case.length
        one, rest = (_by_momentum(case, rng, momentum) for _ in range(2))
        drawn, other = counts @ one.products, counts @ rest.products
        tests = (
            lag_difference(one, drawn, rest, other),
            delay_difference(one, drawn, rest, other),
            mean_delay(one, drawn, null=momentum / (1 - momentum)),
        )
        found.append([test.p("two-sided") for test in tests])
    return np.array(found)


def coherence_rates(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """Smallest p-value over frequencies, of steps and gradients that are independent."""
    found = []
    for _ in range(repeats):
        segments = segment_spectra(_gradient(case, rng), _gradient(case, rng), segment_length(case.length))
        p = np.full(1, np.nan) if segments is None else coherence_test(segments, rng).p
        found.append(np.nan if np.isnan(p).all() else np.nanmin(p))
    return np.array(found)


def coherence_misses(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """Whether the intervals of coherence, phase and group delay miss the truth: 0, 1 (covers), NaN: [repeats, 3]."""
    found = []
    for _ in range(repeats):
        gradient = _gradient(case, rng)
        step = -np.roll(gradient, DELAY, axis=0) + _gradient(case, rng)
        segments = segment_spectra(step, gradient, segment_length(case.length))
        if segments is None:
            raise ValueError("nothing moves")
        test, late = coherence_test(segments, rng), group_delay(segments)
        place = len(test.phase) // 3
        middle, half = (test.phase_high + test.phase_low)[place] / 2, (test.phase_high - test.phase_low)[place] / 2
        turn = (middle - 2 * np.pi * segments.frequency[place] * DELAY + np.pi) % (2 * np.pi) - np.pi
        inside = (test.low[place] <= 0.5 <= test.high[place], abs(turn) <= half, late.low <= DELAY <= late.high)
        known = np.isfinite([test.low[place], half, late.low])
        found.append(np.where(known, np.array(inside, float), np.nan))
    return np.array(found)
