"""Rejection rates under the null, and power: a reduced version of benchmarks/calibration.py, which has the table."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

_FILE = Path(__file__).parents[2] / "benchmarks" / "calibration_measures.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("calibration_measures", _FILE)
    if spec is None or spec.loader is None:
        raise ImportError(_FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["calibration_measures"] = module
    spec.loader.exec_module(module)
    return module


bench = _load()
CASES = [case for case in bench.CASES if case.length < 2000]


def _within(rate: float, repeats: int, low: float = 0.03, high: float = 0.07) -> bool:
    """Whether a rate lies in a range, up to three binomial errors."""
    error = 3 * np.sqrt(0.05 * 0.95 / repeats)
    return low - error <= rate <= high + error


@pytest.mark.parametrize("case", CASES, ids=str)
def test_hac_mean(case) -> None:  # type: ignore[no-untyped-def]
    for p in bench.hac_rates(case, np.random.default_rng(0), 2000):
        assert _within(bench.rate(p)[0], 2000)


@pytest.mark.parametrize("case", CASES[::2], ids=str)
def test_hac_mean_with_falling_variance_and_efficiency(case) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(1)
    assert _within(bench.rate(bench.envelope_rates(case, rng, 1000))[0], 1000)
    assert _within(bench.rate(bench.efficiency_rates(case, rng, 500))[0], 500)


@pytest.mark.parametrize("case", CASES[:6], ids=str)
def test_block_bootstrap_interval(case) -> None:  # type: ignore[no-untyped-def]
    covers = bench.bootstrap_misses(case, np.random.default_rng(2), 150)
    assert _within(bench.rate(covers)[0], 150, 0.0, 0.08)


@pytest.mark.parametrize("case", [CASES[1], CASES[3], CASES[9]], ids=str)
def test_block_bootstrap_test(case) -> None:  # type: ignore[no-untyped-def]
    assert _within(bench.rate(bench.bootstrap_rates(case, np.random.default_rng(9), 200))[0], 200)


def test_holm_keeps_the_family_wise_error() -> None:
    for effects in (0, 10):
        p = bench.holm_rates(bench.Case(500, 0.5, "t3"), np.random.default_rng(10), 300, effects)
        assert _within(bench.rate(p)[0], 300)


def test_false_discovery_rate_is_kept() -> None:
    for effects in (0, 10):
        shares = bench.false_discoveries(bench.Case(500, 0.5, "t3"), np.random.default_rng(11), 300, effects)
        assert _within(shares.mean(), 300)


def test_flip_interval() -> None:
    for case in (CASES[0], CASES[1]):
        assert _within(bench.rate(bench.flip_rates(case, np.random.default_rng(3), 300))[0], 300)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_periodicity(case) -> None:  # type: ignore[no-untyped-def]
    assert _within(bench.rate(bench.periodicity_rates(case, np.random.default_rng(4), 2000))[0], 2000)


@pytest.mark.parametrize(
    "options", [{}, {"local": True}, {"residual": True}, {"envelope": True, "local": True}], ids=str
)
def test_shared_moments_do_not_exceed_their_level(options: dict[str, bool]) -> None:
    for case in (CASES[0], CASES[5]):
        p = bench.coincidence_rates(case, np.random.default_rng(5), 150, **options)
        assert _within(bench.rate(p)[0], 150, 0.0)


def test_pairs_do_not_exceed_their_level() -> None:
    assert _within(bench.rate(bench.pair_rates(CASES[4], np.random.default_rng(6), 400))[0], 400, 0.0)


def test_intervals_of_lags_cover() -> None:
    lag, delay = bench.lag_misses(bench.Case(500, 0.5, "t3"), np.random.default_rng(7), 40)
    assert bench.rate(lag)[0] <= 0.15
    assert bench.rate(delay)[0] <= 0.2


def test_power() -> None:
    rng = np.random.default_rng(8)
    for case in CASES[6:]:
        assert bench.rate(bench.hac_rates(case, rng, 400, 3.0)[1])[0] > 0.75
        assert bench.rate(bench.periodicity_rates(case, rng, 200, 0.8))[0] > 0.9
    strong = bench.coincidence_rates(bench.Case(500, 0.0, "normal"), rng, 40, common=1.5)
    assert bench.rate(strong)[0] > 0.9
