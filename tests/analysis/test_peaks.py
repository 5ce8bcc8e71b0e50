import numpy as np
import pytest

from lca_analysis.analysis.peaks import deepest_minima


def _slow(series: np.ndarray, count: int) -> list[int]:
    length = len(series)
    found = [
        t
        for t in range(length)
        if series[t] < 0 and series[t] < series[t - 1] and series[t] <= series[(t + 1) % length]
    ]
    return sorted(found, key=lambda t: series[t])[:count]


@pytest.mark.parametrize("seed", range(5))
def test_minima_against_a_slow_version(seed: int) -> None:
    series = np.random.default_rng(seed).standard_normal(200)
    assert deepest_minima(series).tolist() == _slow(series, 20)


def test_shifting_the_series_shifts_its_minima() -> None:
    series = np.random.default_rng(0).standard_normal(90)
    moved = deepest_minima(np.roll(series, 17))
    np.testing.assert_array_equal(moved, (deepest_minima(series) + 17) % 90)


def test_plateaus_zeros_and_nan() -> None:
    assert deepest_minima([0, -1, -1, 0, -2, 0]).tolist() == [4, 1]
    assert deepest_minima(np.zeros(10)).size == 0
    assert deepest_minima(np.full(10, -1.0)).size == 0
    assert deepest_minima([1.0, 0.5, 1.0, np.nan, -1.0, 3.0]).tolist() == [4]
    assert deepest_minima(np.zeros(0)).size == 0
