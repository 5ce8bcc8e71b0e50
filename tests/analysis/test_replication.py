"""Tests over runs: against scipy, statsmodels and enumeration, and their rates of rejection under the null."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.descriptivestats import sign_test
from statsmodels.stats.weightstats import DescrStatsW

from lca_analysis.analysis.effect_sizes import standardized_mean
from lca_analysis.analysis.replication import SIGN_METHOD, ranks_over_runs, sign_level, sign_over_runs, t_over_runs
from lca_analysis.analysis.rows import Row
from lca_analysis.analysis.table_seeds import by_layer
from lca_analysis.errors import ArgumentError

SIDES = ("two-sided", "greater", "less")
TESTS = (t_over_runs, sign_over_runs, ranks_over_runs)


@pytest.mark.parametrize("runs", [8, 9, 13])
@pytest.mark.parametrize("side", SIDES)
def test_p_values_are_those_of_others(runs, side):
    values = np.random.default_rng(runs).standard_normal((runs, 3)) + np.array([0, 0.4, -0.7])
    t, sign, ranks = (test(values, 0.1, side) for test in TESTS)
    for place, column in enumerate(values.T):
        assert t.p[place] == pytest.approx(stats.ttest_1samp(column, 0.1, alternative=side).pvalue)
        above = int((column > 0.1).sum())
        assert sign.p[place] == pytest.approx(stats.binomtest(above, runs, 0.5, side).pvalue)
        assert sign.statistic[place] == above
        expected = stats.wilcoxon(column - 0.1, alternative=side, method="exact").pvalue
        assert ranks.p[place] == pytest.approx(expected)
        if side == "two-sided":
            low, high = DescrStatsW(column).tconfint_mean(0.05)
            assert (t.low[place], t.high[place]) == pytest.approx((low, high))
            assert sign.p[place] == pytest.approx(sign_test(column, 0.1)[1])


def test_ranks_with_ties_are_enumerated():
    values = np.array([1.0, 1.0, -1.0, 2.0, 2.0, 3.0, 0.5, -0.5])
    ranks = stats.rankdata(np.abs(values))
    sums = [ranks[list(signs)].sum() for signs in map(list, itertools.product([False, True], repeat=8))]
    found = ranks_over_runs(values, alternative="greater")
    assert found.statistic[0] == ranks[values > 0].sum()
    assert found.p[0] == np.mean(np.array(sums) >= found.statistic[0])


@pytest.mark.parametrize("runs", [6, 8, 11])
def test_an_interval_holds_the_nulls_that_are_not_rejected(runs):
    values = np.random.default_rng(runs).standard_normal(runs)
    for test in TESTS:
        found = test(values)
        for inside in (found.low[0] + 1e-9, found.high[0] - 1e-9):
            assert test(values, inside).p[0] > 0.05
        for outside in (found.low[0] - 1e-9, found.high[0] + 1e-9):
            assert test(values, outside).p[0] <= 0.05
    assert ranks_over_runs(values).estimate[0] == np.median([(a + b) / 2 for a in values for b in values if a <= b])


@pytest.mark.parametrize("noise", ["normal", "t3"])
@pytest.mark.parametrize("runs", [8, 12])
def test_rates_under_the_null(noise, runs):
    random, repeats = np.random.default_rng(0), 2000
    shape = (runs, repeats)
    values = random.standard_normal(shape) if noise == "normal" else random.standard_t(3, shape)
    error = 3 * np.sqrt(0.05 * 0.95 / repeats)
    for side in ("two-sided", "greater"):
        for test in (t_over_runs, ranks_over_runs):
            rate = (test(values, alternative=side).p <= 0.05).mean()
            assert 0.03 - error <= rate <= 0.07 + error, (test.__name__, side, rate)
        rate = (sign_over_runs(values, alternative=side).p <= 0.05).mean()
        assert abs(rate - sign_level(runs, side)) <= error
        assert rate <= 0.05 + error


def test_the_sign_test_says_its_true_level():
    assert sign_level(8) == 9 / 256  # seven or eight of eight
    assert sign_level(9) == 10 / 512  # eight or nine; seven would be 46/512
    assert sign_level(8, "two-sided") == 2 / 256
    assert sign_level(4) == 0


def test_each_layer_names_the_level_of_the_runs_that_count():
    values = np.random.default_rng(3).standard_normal((9, 3))
    values[0, 1], values[:2, 2] = np.nan, 0.0  # eight known values; seven that are not at the null
    base = Row("net_lca", SIGN_METHOD, 0, alternative="greater")
    rows = by_layer(base, ["a", "b", "c"], sign_over_runs(values, alternative="greater"))
    told = [row.method.rpartition(" ")[2] for row in rows]
    assert told == [f"{sign_level(count):.3f}" for count in (9, 8, 7)] == ["0.020", "0.035", "0.008"]


def test_power_and_effect_size():
    values = np.random.default_rng(1).standard_normal((8, 200)) + 1.5
    for test in TESTS:
        assert (test(values, alternative="greater").p <= 0.05).mean() > 0.85
    found = [standardized_mean(column) for column in values.T]
    assert np.mean([one.estimate for one in found]) == pytest.approx(1.5, abs=0.1)  # Hedges: no bias
    assert np.mean([one.low <= 1.5 <= one.high for one in found]) > 0.92
    one = found[0]
    t = np.sqrt(8) * values[:, 0].mean() / values[:, 0].std(ddof=1)
    for end, level in ((one.low, 0.975), (one.high, 0.025)):
        assert stats.nct.cdf(t, 7, end * np.sqrt(8)) == pytest.approx(level, abs=1e-4)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "no run has a value"),
        ([np.nan, np.inf], "no run has a value"),
        ([1.0], "1"),
        ([1.0, 2.0], "2"),
        ([3.0] * 9, "constant over runs"),
        ([0.0] * 9, "constant over runs"),
    ],
)
def test_what_cannot_be_tested_has_a_reason(values, reason):
    for test in TESTS:
        found = test(values)
        assert np.isnan(found.p[0])
        assert reason in found.reason[0]
    assert np.isnan(standardized_mean(values).low)
    assert standardized_mean(values).reason


def test_few_runs_cannot_reach_the_level():
    for test in (sign_over_runs, ranks_over_runs):
        assert "5 runs cannot reach p ≤ 0.05: the smallest possible is 0.0625" in test(np.arange(5.0) + 1).reason[0]
        assert test(np.arange(5.0) + 1, alternative="greater").p[0] == 1 / 32
        assert test(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 0.0]), alternative="less").p[0] == 1.0  # the zero says nothing
    assert t_over_runs(np.arange(3.0)).reason[0] is None


def test_unknown_alternatives_are_refused():
    with pytest.raises(ArgumentError, match="no alternative 'both'"):
        t_over_runs([1.0, 2.0, 4.0], alternative="both")
