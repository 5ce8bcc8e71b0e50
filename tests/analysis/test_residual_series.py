from statistics import NormalDist

import numpy as np
from scipy import stats

from lca_analysis.analysis.residual_series import normal_scores, relative_to_pace, residual_series


def test_pace_is_a_running_median_over_layers_and_time() -> None:
    series = np.random.default_rng(5).standard_normal((43, 3)) * np.exp(-np.arange(43) / 10)[:, None]
    found = relative_to_pace(7e-200 * series)
    sizes = np.median(np.abs(series) / np.abs(series).mean(0), axis=1)
    mirrored = np.concatenate([sizes[::-1], sizes, sizes[::-1]])
    for t in (0, 1, 20, 42):
        # Windows of 43 // 10 = 4 steps, from two before to one behind, of whose middle two the larger counts.
        pace = np.sort(mirrored[43 + t - 2 : 43 + t + 2])[2]
        np.testing.assert_allclose(found[t], series[t] / np.abs(series).mean(0) / pace)
    assert not relative_to_pace(np.zeros((5, 2))).any()
    assert np.isfinite(relative_to_pace(np.eye(30)[:, :2])).all()  # the pace is 0 nearly everywhere
    fading = series.copy()
    fading[20:] *= 1e-290
    fading[30, 0] = -1.0
    assert np.isfinite(residual_series(fading)).all()
    assert relative_to_pace(np.zeros((0, 2))).shape == (0, 2)


def test_residuals_are_those_of_least_squares() -> None:
    raw = np.random.default_rng(1).standard_normal((50, 4)) + np.random.default_rng(2).standard_normal((50, 1))
    found = residual_series(raw)
    series = relative_to_pace(raw)
    scores = stats.norm.ppf((stats.rankdata(series, axis=0) - 0.5) / 50)
    for layer in range(4):
        others = [np.delete(values, layer, axis=1).sum(1) for values in (series, scores)]
        design = np.column_stack([np.ones(50), *others])
        fit = np.linalg.lstsq(design, scores[:, layer], rcond=None)[0]
        np.testing.assert_allclose(found[:, layer], scores[:, layer] - design @ fit, atol=1e-12)
    np.testing.assert_allclose(residual_series(raw * 1e-300), found, atol=1e-12)


def test_residuals_without_others_and_with_nan() -> None:
    quarter = NormalDist().inv_cdf(0.75)
    np.testing.assert_allclose(residual_series(np.array([[-1.0], [1.0]])), [[-quarter], [quarter]])
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
