import numpy as np
import pytest

from lca_analysis.analysis.helping import concentration, efficiency, percent_helping
from lca_analysis.analysis.inference import hac_mean
from lca_analysis.analysis.layer_series import LayerSeries
from lca_analysis.analysis.table_helping import helping_rows
from lca_analysis.errors import ArgumentError


def test_percent_helping_counts_signs_and_leaves_zeros_out() -> None:
    a = np.array([[-1.0, 2.0, 0.0, -3.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, -1.0, 0.0]])
    found = percent_helping((a < 0).sum(1), (a > 0).sum(1))
    np.testing.assert_allclose(found, [200 / 3, np.nan, 100 / 3])


def test_intervals_of_percent_helping_hold_shares_only() -> None:
    share = np.zeros((25, 1))
    share[[3, 15]] = 1  # nearly all hurts, but for two iterations
    n_helping = np.repeat(np.round(1000 * share), 2, axis=1)
    nothing = np.ones_like(n_helping)
    counts = {0: (n_helping, 1000 - n_helping)}
    series = LayerSeries(
        np.arange(25), ("a", "b"), {-1: nothing}, -nothing, nothing, n_helping, 1000 - n_helping, counts=counts
    )
    assert hac_mean(100 * share, null=50.0).low[0] < 0
    rows = [row for row in helping_rows(series, 0) if row.quantity == "percent_helping"]
    assert {row.low for row in rows if row.reason is None} == {0.0}
    assert all(row.high <= 100 for row in rows if row.reason is None)
    assert len([row for row in rows if row.reason is None]) >= 3 * 2


def test_efficiency_is_net_over_gross() -> None:
    a = np.random.default_rng(0).standard_normal((200, 30)) - 0.1
    found = efficiency(a.sum(1), np.abs(a).sum(1))
    assert found.estimate[0] == pytest.approx(a.sum() / np.abs(a).sum())
    assert found.p[0] == hac_mean(a.sum(1)).p[0]


def test_efficiency_interval_holds_the_ratios_that_are_not_rejected() -> None:
    rng = np.random.default_rng(1)
    net = rng.standard_normal(200) - 0.4
    gross = np.abs(net) + rng.gamma(2.0, size=200)
    found = efficiency(net, gross)
    for end in (found.low[0], found.high[0]):
        assert hac_mean(net - end * gross).p[0] == pytest.approx(0.05, abs=1e-4)
    assert found.low[0] < found.estimate[0] < found.high[0]


def test_efficiency_interval_ends_where_ratios_are_first_rejected() -> None:
    gross = np.exp(-np.arange(150) / 15) + 0.02
    net = -0.25 * gross + 0.15 * gross.mean() * np.random.default_rng(0).standard_normal(150)
    assert hac_mean(net).p[0] < 0.05 < hac_mean(net - gross).p[0]  # the slow course of gross hides what is far away
    found = efficiency(net, gross)
    assert -1 < found.low[0] < -0.25 < found.high[0] < 0
    for end in (found.low[0], found.high[0]):
        assert hac_mean(net - end * gross).p[0] == pytest.approx(0.05, abs=1e-4)


def test_efficiency_of_pure_help_is_minus_one() -> None:
    gross = np.random.default_rng(0).gamma(2.0, size=(100, 2))
    found = efficiency(-gross, gross)
    np.testing.assert_allclose([found.estimate, found.low, found.high], -1, atol=1e-4)


def test_efficiency_of_columns_is_that_of_each() -> None:
    rng = np.random.default_rng(2)
    net = rng.standard_normal((80, 3))
    net[4, 1] = np.nan
    gross = np.abs(net) * 2
    whole = efficiency(net, gross)
    for column in range(3):
        alone = efficiency(net[:, column], gross[:, column])
        assert whole.low[column] == pytest.approx(alone.low[0])
        assert whole.estimate[column] == pytest.approx(alone.estimate[0])


def test_efficiency_without_motion_says_why() -> None:
    found = efficiency(np.zeros(50), np.zeros(50))
    assert np.isnan([found.estimate[0], found.low[0], found.p[0]]).all()
    assert found.reason == ("the series is constant",)
    with pytest.raises(ArgumentError, match="agree"):
        efficiency(np.zeros(5), np.zeros(6))


def test_concentration_of_known_sizes() -> None:
    assert concentration(np.ones(1000)) == pytest.approx(1.0)
    assert concentration(np.append(np.zeros(99), 7.0)) == 100
    sizes = np.arange(1.0, 201)
    assert concentration(sizes) == pytest.approx(100 * (200 + 199) / sizes.sum())
    assert np.isnan(concentration(np.zeros(10)))
    assert np.isnan(concentration(np.zeros(0)))
