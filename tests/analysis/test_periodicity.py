from math import comb

import numpy as np
import pytest
from scipy.signal import lfilter

from lca_analysis.analysis.periodicity import MIN_LENGTH, fisher_p, periodicity


@pytest.mark.parametrize("n", [5, 20, 60])
def test_p_value_is_fishers_exact_one_in_the_tail(n: int) -> None:
    for share in (0.35, 0.5, 0.9):
        terms = range(1, min(n, int(1 / share)) + 1)
        exact = sum((-1) ** (j - 1) * comb(n, j) * (1 - j * share) ** (n - 1) for j in terms)
        if exact < 0.2:
            assert fisher_p(share, n) == pytest.approx(exact, rel=0.03)


def test_p_value_is_uniform_for_exponential_ordinates() -> None:
    power = np.random.default_rng(0).exponential(size=(40_000, 50))
    p = fisher_p(power.max(1) / power.sum(1), 50)
    for level in (0.001, 0.01, 0.05, 0.1):
        assert (p <= level).mean() == pytest.approx(level, abs=4 * np.sqrt(level / 40_000) + 0.01 * level)


@pytest.mark.parametrize("period", [2.5, 7.3, 40.0])
def test_planted_period_is_found(period: int) -> None:
    rng = np.random.default_rng(1)
    wave = np.sin(2 * np.pi * np.arange(400)[:, None] / period + rng.uniform(0, 6, 50))
    found = periodicity(wave + rng.standard_normal((400, 50)))
    assert (found.p < 1e-4).mean() > 0.9
    assert np.median(found.period) == pytest.approx(period, rel=0.06)


@pytest.mark.parametrize("drift", [lambda t: 10 * t, lambda t: 6 * np.exp(-4 * t), lambda t: 5 * np.sin(4 * t)])
def test_drift_is_no_period(drift) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(2)
    series = drift(np.linspace(0, 1, 300))[:, None] + rng.standard_normal((300, 1000))
    assert (periodicity(series).p <= 0.05).mean() < 0.07


def test_what_cannot_be_tested_is_nan() -> None:
    assert np.isnan(periodicity(np.random.default_rng(0).standard_normal((MIN_LENGTH - 1, 3))).p).all()
    found = periodicity(np.column_stack([np.zeros(100), np.full(100, 3.0), np.random.default_rng(0).random(100)]))
    np.testing.assert_array_equal(np.isnan(found.p), [True, True, False])
    assert periodicity(np.zeros((100, 0))).p.size == 0


def test_scale_changes_nothing() -> None:
    series = np.random.default_rng(3).standard_normal((100, 3))
    np.testing.assert_allclose(periodicity(series * 1e-15).p, periodicity(series).p, rtol=1e-9)


def _resonance(modulus: float, length: int, count: int) -> np.ndarray:
    """AR(2) noise whose spectrum has a hump at a period of 12: no oscillation."""
    noise = np.random.default_rng(4).standard_normal((length + 300, count))
    return lfilter([1], [1, -2 * modulus * np.cos(2 * np.pi / 12), modulus**2], noise, axis=0)[300:]


@pytest.mark.parametrize(("modulus", "length"), [(0.7, 500), (0.9, 500), (0.95, 500), (0.9, 1000)])
def test_hump_of_the_spectrum_is_no_period(modulus: float, length: int) -> None:
    assert (periodicity(_resonance(modulus, length, 300)).p <= 0.05).mean() < 0.09


def test_line_on_a_hump_is_found() -> None:
    noise = _resonance(0.9, 1000, 50)
    wave = np.sin(2 * np.pi * np.arange(1000)[:, None] / 12.3)
    assert (periodicity(noise / noise.std(0) + 1.5 * wave).p <= 0.01).mean() > 0.9


def test_outliers_do_not_hide_a_period() -> None:
    rng = np.random.default_rng(5)
    wave = np.sin(2 * np.pi * np.arange(500)[:, None] / 9.7)
    series = wave + 0.5 * rng.standard_t(1.5, (500, 100))
    assert (periodicity(series).p <= 0.001).mean() > 0.9


def test_rare_spikes_are_no_period() -> None:
    series = np.zeros((300, 1))
    series[[20, 21, 150, 260], 0] = [1.0, -2.0, 3.0, 1.0]
    assert periodicity(series).p[0] > 0.01


def test_sinusoid_of_a_third_of_the_noise_is_found() -> None:
    rng = np.random.default_rng(6)
    wave = np.sin(2 * np.pi * np.arange(1000)[:, None] / 12.3 + rng.uniform(0, 6, 200)) / 3
    assert (periodicity(rng.standard_normal((1000, 200)) + wave).p <= 0.05).mean() > 0.9
