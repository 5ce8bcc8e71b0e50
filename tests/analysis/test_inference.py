import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.signal import lfilter

from lca_analysis.analysis.inference import (
    MIN_ITERATIONS,
    automatic_lags,
    degrees_of_freedom,
    hac_mean,
    long_run_variance,
)
from lca_analysis.errors import ArgumentError


@pytest.fixture
def series() -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal((300, 4))
    return 0.3 + lfilter([1.0], [1.0, -0.6], noise, axis=0)


@pytest.mark.parametrize("lags", [0, 3, 11])
def test_long_run_variance_is_that_of_statsmodels(series: np.ndarray, lags: int) -> None:
    found = long_run_variance(series - series.mean(0), np.full(4, lags))
    for column, variance in zip(series.T, found, strict=True):
        fit = sm.OLS(column, np.ones(len(column))).fit(
            cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
        )
        assert variance / len(column) == pytest.approx(fit.cov_params()[0, 0], rel=1e-12)


def test_lags_follow_the_rule_of_andrews() -> None:
    noise = np.random.default_rng(2).standard_normal((4000, 1))
    series = lfilter([1.0], [1.0, -0.5], noise, axis=0)
    series -= series.mean(0)
    phi = (series[1:] * series[:-1]).sum() / (series[:-1] ** 2).sum()
    alpha = (2 * phi / ((1 - phi) * (1 + phi))) ** 2
    assert automatic_lags(series)[0] == int(1.1447 * (alpha * 4000) ** (1 / 3))


def test_whole_computation_against_a_slow_one(series: np.ndarray) -> None:
    x = series[:, 0]
    d, n = x - x.mean(), len(x)
    phi = sum(d[t] * d[t - 1] for t in range(1, n)) / sum(d[t] ** 2 for t in range(n - 1))
    phi += (1 + 3 * phi) / n
    e = np.array([d[t] - phi * d[t - 1] for t in range(1, n)])
    e -= e.mean()
    rho = sum(e[1:] * e[:-1]) / sum(e[:-1] ** 2)
    lag = int(1.1447 * (4 * rho**2 / ((1 - rho) ** 2 * (1 + rho) ** 2) * (n - 1)) ** (1 / 3))
    fit = sm.OLS(e, np.ones(n - 1)).fit(cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": False})
    error = np.sqrt(fit.cov_params()[0, 0] * (n - 1) * n / (n - 2) / n) / (1 - phi)
    freedom = 1 / (1 / n + 2 * (1 + phi) / (1 - phi) / n)
    found = hac_mean(x, null=0.1)
    assert found.standard_error[0] == pytest.approx(error, rel=1e-10)
    assert found.p[0] == pytest.approx(2 * stats.t.sf(abs(x.mean() - 0.1) / error, freedom), rel=1e-9)
    assert found.high[0] == pytest.approx(x.mean() + stats.t.ppf(0.975, freedom) * error, rel=1e-10)


@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_degrees_of_freedom_are_those_of_the_variance_of_an_ar1(phi: float) -> None:
    noise = np.random.default_rng(3).standard_normal((500, 4000))
    series = lfilter([1.0], [1.0, -phi], noise, axis=0)[100:]
    variance = hac_mean(series).standard_error ** 2
    found = degrees_of_freedom(400, 400 * (1 - phi) / (1 + phi))
    assert 2 * (variance.mean() / variance.std()) ** 2 == pytest.approx(found, rel=0.15)
    assert degrees_of_freedom(20, 1.0) == 1


def test_alternatives_agree(series: np.ndarray) -> None:
    greater, less = (hac_mean(series, alternative=name).p for name in ("greater", "less"))
    np.testing.assert_allclose(greater + less, 1)
    np.testing.assert_allclose(hac_mean(series).p, 2 * np.minimum(greater, less))


def test_interval_and_test_agree(series: np.ndarray) -> None:
    found = hac_mean(series, confidence=0.9)
    np.testing.assert_allclose(hac_mean(series[:, :1], null=found.low[0]).p, 0.1, rtol=1e-9)


def test_scale_and_shift_change_nothing(series: np.ndarray) -> None:
    np.testing.assert_allclose(hac_mean(series * 1e-12, null=1e-13).p, hac_mean(series, null=0.1).p, rtol=1e-9)
    np.testing.assert_allclose(hac_mean(series + 50, null=50).p, hac_mean(series).p, rtol=1e-6)


def test_nan_is_left_out(series: np.ndarray) -> None:
    holed = np.insert(series, [3, 100], np.nan, axis=0)
    whole, found = hac_mean(series), hac_mean(holed)
    np.testing.assert_array_equal(found.n, 300)
    np.testing.assert_allclose(found.p, whole.p)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros(0), "there are no values"),
        (np.full(50, np.nan), "there are no values"),
        (np.arange(MIN_ITERATIONS - 1.0), "at least 20 iterations"),
        (np.zeros(50), "constant"),
        (np.full(50, 0.1), "constant"),
        (np.cumsum(np.random.default_rng(0).standard_normal(60)), "too strongly autocorrelated"),
    ],
)
def test_what_cannot_be_tested_says_why(values: np.ndarray, reason: str) -> None:
    found = hac_mean(values)
    assert reason in str(found.reason[0])
    assert np.isnan([found.low[0], found.high[0], found.p[0], found.statistic[0]]).all()


def test_bad_columns_leave_good_ones_alone(series: np.ndarray) -> None:
    mixed = np.column_stack([np.zeros(300), series[:, 0], np.full(300, np.nan)])
    found = hac_mean(mixed)
    assert found.p[1] == hac_mean(series[:, 0]).p[0]
    assert [reason is None for reason in found.reason] == [False, True, False]


def test_unknown_arguments_are_refused(series: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="alternative"):
        hac_mean(series, alternative="bigger")
    with pytest.raises(ArgumentError, match="confidence"):
        hac_mean(series, confidence=95)
    with pytest.raises(ArgumentError, match="axes"):
        hac_mean(series[None])
