import numpy as np
import pytest
from scipy import stats

from lca_analysis.analysis.distributions import excess_kurtosis, fit_distributions


def _fit(values: np.ndarray, name: str):  # type: ignore[no-untyped-def]
    return next(fit for fit in fit_distributions(values) if fit.distribution == name)


@pytest.fixture
def heavy() -> np.ndarray:
    return 2e-7 * np.random.default_rng(0).standard_t(3, 3000) + 1e-8


@pytest.mark.parametrize(("name", "law"), [("normal", stats.norm), ("laplace", stats.laplace), ("student_t", stats.t)])
def test_likelihood_is_at_least_that_of_scipys_fit(heavy: np.ndarray, name: str, law) -> None:  # type: ignore[no-untyped-def]
    scaled = heavy / 2e-7
    theirs = law.logpdf(scaled, *law.fit(scaled)).sum() - len(heavy) * np.log(2e-7)
    assert _fit(heavy, name).log_likelihood >= theirs - 1e-3
    assert _fit(heavy, name).log_likelihood == pytest.approx(theirs, abs=0.5)


def test_double_weibull_against_scipys_fit_around_zero() -> None:
    sample = stats.dweibull.rvs(0.7, 0, 3e-6, size=4000, random_state=np.random.default_rng(1))
    found = _fit(sample, "double_weibull")
    shape, _, scale = stats.weibull_min.fit(np.abs(sample) / 3e-6, floc=0)
    assert found.parameters["shape"] == pytest.approx(shape, rel=1e-3)
    assert found.parameters["scale"] == pytest.approx(scale * 3e-6, rel=1e-3)
    theirs = stats.dweibull.logpdf(sample / 3e-6, shape, 0, scale).sum() - len(sample) * np.log(3e-6)
    assert found.log_likelihood == pytest.approx(theirs, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("normal", stats.norm(0, 1e-5)),
        ("laplace", stats.laplace(0, 1e-5)),
        ("student_t", stats.t(2.5, 0, 1e-5)),
        ("double_weibull", stats.dweibull(0.6, 0, 1e-5)),
    ],
)
def test_aic_finds_the_true_law(name: str, law) -> None:  # type: ignore[no-untyped-def]
    fits = fit_distributions(law.rvs(3000, random_state=np.random.default_rng(2)))
    best = min(fits, key=lambda fit: fit.aic)
    true = next(fit for fit in fits if fit.distribution == name)
    assert true.aic - best.aic < 4


def test_student_t_recovers_its_parameters(heavy: np.ndarray) -> None:
    found = _fit(heavy, "student_t").parameters
    assert found["df"] == pytest.approx(3, rel=0.2)
    assert found["scale"] == pytest.approx(2e-7, rel=0.1)


def test_aic_counts_parameters(heavy: np.ndarray) -> None:
    for fit in fit_distributions(heavy):
        assert fit.aic == pytest.approx(2 * len(fit.parameters) - 2 * fit.log_likelihood)


def test_zeros_and_infinities_are_left_out(heavy: np.ndarray) -> None:
    dirty = np.concatenate([heavy, np.zeros(500), [np.nan, np.inf]])
    assert _fit(dirty, "normal") == _fit(heavy, "normal")


@pytest.mark.parametrize(
    ("values", "reason"),
    [(np.zeros(100), "non-zero"), (np.arange(1.0, 10), "at least 50"), (np.full(90, 2.0), "constant")],
)
def test_what_cannot_be_fitted_says_why(values: np.ndarray, reason: str) -> None:
    for fit in fit_distributions(values):
        assert reason in str(fit.reason)
        assert np.isnan(fit.aic)
    assert np.isnan(excess_kurtosis(values))


def test_tied_values_have_no_fit() -> None:
    values = np.random.default_rng(0).standard_normal(100)
    for tied in (4, 5):  # of a Student t with 0.05 degrees of freedom, whose likelihood has no maximum from 5 on
        values[:tied] = 1.0
        fits = fit_distributions(values)
        assert all(np.isfinite(fit.aic) == (fit.reason is None) == (tied == 4) for fit in fits)
    assert fits[0].reason == "one value makes up 5 % of them, which no density fits"


def test_excess_kurtosis() -> None:
    rng = np.random.default_rng(0)
    assert excess_kurtosis(rng.standard_normal(200_000)) == pytest.approx(0, abs=0.05)
    assert excess_kurtosis(rng.laplace(size=200_000)) == pytest.approx(3, abs=0.3)
