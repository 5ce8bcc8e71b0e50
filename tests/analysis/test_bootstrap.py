import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap
from scipy import stats
from scipy.signal import lfilter

from lca_analysis.analysis.bootstrap import _as_student, bootstrap_mean, resample, resampled_means
from lca_analysis.analysis.inference import hac_mean
from lca_analysis.errors import ArgumentError


def test_resamples_are_those_of_the_stationary_bootstrap() -> None:
    length, block, repeats = 60, 5.0, 4000
    series = np.cumsum(np.random.default_rng(0).standard_normal(length))
    ours = series[resample(length, block, repeats, np.random.default_rng(1))].mean(1)
    theirs = StationaryBootstrap(block, series, seed=2).apply(np.mean, repeats)[:, 0]
    assert ours.mean() == pytest.approx(theirs.mean(), abs=4 * theirs.std() * np.sqrt(2 / repeats))
    assert ours.std() == pytest.approx(theirs.std(), rel=0.06)


def test_blocks_go_on_round_the_ring() -> None:
    drawn = resample(50, 8.0, 300, np.random.default_rng(0))
    assert drawn.shape == (300, 50)
    assert ((drawn >= 0) & (drawn < 50)).all()
    follows = (np.diff(drawn, axis=1) % 50 == 1).mean()
    assert follows == pytest.approx(1 - 1 / 8 + 1 / 8 / 50, abs=0.01)
    np.testing.assert_allclose(np.bincount(drawn.ravel()) / 300, 1, atol=0.35)


@pytest.mark.parametrize("block", [1.0, 4.5, 60.0])
def test_means_of_resamples_without_the_resamples(block: float) -> None:
    series = np.random.default_rng(0).standard_normal(60)
    slow = series[resample(60, block, 50, np.random.default_rng(1))].mean(1)
    np.testing.assert_allclose(resampled_means(series, block, 50, np.random.default_rng(1)), slow, atol=1e-14)


def test_deviations_of_a_normal_become_those_of_students_t() -> None:
    places = (np.arange(9999) + 0.5) / 9999
    found = _as_student(0.3 * stats.norm.ppf(places), 5.0)
    np.testing.assert_allclose(found, 0.3 * stats.t.ppf(places, 5), rtol=0.01)
    np.testing.assert_array_equal(_as_student(np.zeros(9), 5.0), 0)


def test_interval_holds_the_means_that_are_not_rejected() -> None:
    series = np.random.default_rng(4).exponential(size=80)  # skewed
    found = bootstrap_mean(series, np.random.default_rng(0))
    reach = 1e-6 * (found.high - found.low)
    for end, inside in ((found.low, 1), (found.high, -1)):
        p = [
            bootstrap_mean(series, np.random.default_rng(0), null=end + s * reach * inside).p("two-sided")
            for s in (-1, 1)
        ]
        assert p[0] <= 0.05 < p[1] + 1e-12
        assert p[1] == pytest.approx(0.05, abs=0.003)


def test_interval_is_close_to_the_hac_one() -> None:
    series = 0.4 + np.random.default_rng(3).standard_normal(400)
    found, hac = bootstrap_mean(series, np.random.default_rng(0)), hac_mean(series)
    assert found.estimate == series.mean()
    assert found.low == pytest.approx(hac.low[0], abs=0.15 * (hac.high[0] - hac.low[0]))
    assert found.high == pytest.approx(hac.high[0], abs=0.15 * (hac.high[0] - hac.low[0]))


def test_scale_changes_only_the_unit() -> None:
    series = np.random.default_rng(3).standard_normal(100)
    one, small = (bootstrap_mean(series * scale, np.random.default_rng(0)) for scale in (1.0, 1e-9))
    assert small.low == pytest.approx(one.low * 1e-9, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros(0), "no values"),
        (np.arange(5.0), "at least 20"),
        (np.full(80, 3.0), "constant"),
        (np.cumsum(np.random.default_rng(0).standard_normal(60)), "autocorrelated"),
    ],
)
def test_what_cannot_be_resampled_says_why(values: np.ndarray, reason: str) -> None:
    found = bootstrap_mean(values, np.random.default_rng(0))
    assert reason in str(found.reason)
    assert np.isnan([found.low, found.high]).all()


def test_period_two_series_is_resampled() -> None:
    found = bootstrap_mean(np.tile([1.0, -1.0], 40), np.random.default_rng(0))
    assert found.reason is None
    assert found.low <= 0 <= found.high


def test_interval_of_few_effective_iterations_is_widened_as_the_hac_one() -> None:
    noise = np.random.default_rng(8).standard_normal((40, 60))
    series = lfilter([1.0], [1.0, -0.6], noise, axis=0)
    hac = hac_mean(series)
    found = [bootstrap_mean(column, np.random.default_rng(0)) for column in series.T]
    widths = np.array([one.high - one.low for one in found]) / (hac.high - hac.low)
    assert np.nanmedian(widths) == pytest.approx(1, abs=0.1)


def test_p_values_agree_with_the_interval() -> None:
    rng = np.random.default_rng(8)
    for shift in (0.0, 0.1, 0.3):
        series = rng.standard_normal(400) + shift
        found = bootstrap_mean(series, np.random.default_rng(1))
        assert (found.p("two-sided") <= 0.05) == (not found.low <= 0 <= found.high)
        assert found.p("greater") + found.p("less") == pytest.approx(1.0, abs=0.01)
        moved = bootstrap_mean(series + 50, np.random.default_rng(1), null=50)
        assert moved.p("greater") == pytest.approx(found.p("greater"), abs=0.003)


def test_p_is_never_zero_and_missing_where_there_is_no_interval() -> None:
    found = bootstrap_mean(np.random.default_rng(0).standard_normal(100) + 9, np.random.default_rng(0))
    assert found.p("greater") == 1 / 1000
    assert found.p("less") == 1.0
    assert np.isnan(bootstrap_mean(np.ones(100), np.random.default_rng(0)).p("two-sided"))
    with pytest.raises(ArgumentError, match="sideways"):
        found.p("sideways")
