import numpy as np
import pytest
from scipy.signal import lfilter

from lca_analysis.analysis.evenness import LEVEL, evenness_p, why_uneven


@pytest.mark.parametrize("coefficient", [0.0, 0.9])
def test_even_series_are_seldom_called_uneven(coefficient: float) -> None:
    rng = np.random.default_rng(0)
    series = lfilter([1], [1, -coefficient], rng.standard_normal((300, 400, 3)), axis=0)[100:]
    rate = np.mean([why_uneven(series[:, place]) is not None for place in range(400)])
    assert rate < 2 * LEVEL + 3 * np.sqrt(0.02 / 400) + 0.01


@pytest.mark.parametrize(("length", "coefficient"), [(100, 0.9), (500, 0.0), (500, 0.9)])
def test_the_level_is_kept_and_a_fall_is_seen(length: int, coefficient: float) -> None:
    rng = np.random.default_rng(2)
    series = lfilter([1], [1, -coefficient], rng.standard_normal((200 + length, 1200)), axis=0)[200:]
    series = series.reshape(length, 400, 3)
    fall = np.exp(-3 * np.arange(length) / length)[:, None]
    p = np.array([evenness_p(series[:, place]) for place in range(400)])
    assert np.abs((p <= 0.05).mean(0) - 0.05).max() <= 0.02 + 2 * np.sqrt(0.05 * 0.95 / 400)
    assert np.mean([evenness_p(series[:, place] * fall).min() <= LEVEL for place in range(100)]) >= 0.9


def test_a_trend_without_noise_is_not_called_even() -> None:
    assert why_uneven(np.linspace(1, 2, 400)[:, None] * np.ones(3)) is not None


@pytest.mark.parametrize("course", [lambda t: np.exp(-3 * t), lambda t: np.exp(-8 * (t - 0.5) ** 2)])
def test_decay_and_warm_up_are_seen(course) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(1)
    envelope = course(np.linspace(0, 1, 200))[:, None]
    reason = why_uneven(envelope * rng.standard_normal((200, 3)))
    assert reason is not None
    assert "do not learn evenly" in reason
    assert f"{np.nanmin(evenness_p(envelope * np.random.default_rng(1).standard_normal((200, 3)))):.2g}" in reason


def test_what_cannot_be_tested_is_said() -> None:
    for series in (np.zeros((100, 2)), np.random.default_rng(0).standard_normal((19, 2)), np.ones((1, 1))):
        assert "cannot be tested" in str(why_uneven(series))
