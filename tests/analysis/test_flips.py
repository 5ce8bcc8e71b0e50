import numpy as np
import pytest

from lca_analysis.analysis.flips import flip_interval, flip_rate


def _slow_rate(series: np.ndarray) -> list[float]:
    rates = []
    for t in range(1, len(series)):
        flips = pairs = 0
        for i in range(series.shape[1]):
            before = [v for v in series[:t, i] if v != 0]
            if before and series[t, i] != 0:
                pairs += 1
                flips += (before[-1] > 0) != (series[t, i] > 0)
        rates.append(flips / pairs if pairs else np.nan)
    return rates


def test_flip_rate_against_a_slow_version() -> None:
    series = np.random.default_rng(0).integers(-1, 2, (40, 6)).astype(float)
    series[:, 2] = 0
    np.testing.assert_allclose(flip_rate(series), _slow_rate(series))


def test_white_noise_flips_every_second_iteration() -> None:
    found = flip_interval(np.random.default_rng(1).standard_normal((2000, 200)))
    assert found.estimate[0] == pytest.approx(2, abs=0.02)
    closed_form = 2**2 * 0.5 / np.sqrt(2000 * 200)
    assert found.standard_error[0] == pytest.approx(closed_form, rel=0.15)
    assert abs(found.estimate[0] - 2) < 4 * closed_form


@pytest.mark.parametrize("period", [5, 8, 20])
def test_oscillation_flips_twice_a_period(period: int) -> None:
    time = np.arange(period * 100)[:, None]
    phases = np.random.default_rng(2).uniform(0, 2 * np.pi, 60)
    found = flip_interval(np.cos(2 * np.pi * time / period + phases) + 0.02 * np.sin(time * 0.37))
    assert found.estimate[0] == pytest.approx(period / 2, rel=0.02)
    assert found.p[0] < 1e-6


def test_alternating_sign_has_interval_one_and_no_test() -> None:
    found = flip_interval(np.tile([[1.0], [-1.0]], (50, 1)))
    assert found.estimate[0] == 1
    assert found.reason[0] == "the series is constant"


@pytest.mark.parametrize("series", [np.ones((50, 3)), np.zeros((50, 3)), np.zeros((0, 2)), np.zeros((50, 0))])
def test_without_flips_there_is_a_reason(series: np.ndarray) -> None:
    found = flip_interval(series)
    assert np.isnan(found.estimate[0])
    assert found.reason[0] is not None


def test_nan_counts_as_zero() -> None:
    series = np.random.default_rng(0).integers(-1, 2, (40, 6)).astype(float)
    holed = np.where(series == 0, np.nan, series)
    np.testing.assert_array_equal(flip_rate(holed), flip_rate(series))


def test_interval_has_no_upper_end_where_signs_may_never_flip() -> None:
    series = np.ones((60, 1))
    series[[20, 21, 40]] = -1
    found = flip_interval(series)
    assert found.reason == (None,)
    assert 0 < found.low[0] < found.estimate[0] < found.high[0] == np.inf
