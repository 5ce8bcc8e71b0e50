from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from lca_analysis.analysis.peaks import deepest_minima, normal_scores, residual_series


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


def test_residuals_are_those_of_least_squares() -> None:
    series = np.random.default_rng(1).standard_normal((50, 4)) + np.random.default_rng(2).standard_normal((50, 1))
    found = residual_series(series)
    scores = stats.norm.ppf((stats.rankdata(series, axis=0) - 0.5) / 50)
    for layer in range(4):
        others = [np.delete(values, layer, axis=1).sum(1) for values in (series, scores)]
        design = np.column_stack([np.ones(50), *others])
        fit = np.linalg.lstsq(design, scores[:, layer], rcond=None)[0]
        np.testing.assert_allclose(found[:, layer], scores[:, layer] - design @ fit, atol=1e-12)
    np.testing.assert_allclose(residual_series(series * 1e-300), found, atol=1e-12)


def test_residuals_without_others_and_with_nan() -> None:
    quarter = NormalDist().inv_cdf(0.75)
    np.testing.assert_allclose(residual_series(np.array([[1.0], [3.0]])), [[-quarter], [quarter]])
    assert not residual_series(np.array([[1.0, 2.0], [3.0, 6.0], [2.0, 4.0]])).any()  # one layer is the other
    holed = np.array([[1.0, 2.0], [np.nan, 1.0], [2.0, 5.0], [4.0, 3.0]])
    assert np.isnan(residual_series(holed)).any(1).tolist() == [False, True, False, False]
    assert np.isnan(residual_series(np.full((3, 2), np.nan))).all()


def test_normal_scores_are_those_of_ranks() -> None:
    series = np.random.default_rng(3).standard_t(3, (40, 2))
    series[7, 0] = series[9, 0]
    found = normal_scores(series)
    order = np.sort(series[:, 1])
    quantiles = [NormalDist().inv_cdf((rank - 0.5) / 40) for rank in range(1, 41)]
    np.testing.assert_allclose(found[series[:, 1].argsort(), 1], quantiles, atol=1e-12)
    assert found[7, 0] == found[9, 0]
    np.testing.assert_allclose(normal_scores(np.exp(order)[:, None])[:, 0], quantiles, atol=1e-12)
    assert not normal_scores(np.full((5, 1), 2.0)).any()  # equal ones share the rank in the middle
    assert normal_scores(np.zeros((0, 3))).shape == (0, 3)
