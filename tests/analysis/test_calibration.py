"""A small form of benchmarks/calibration.py: every measure on one kind of series, the quick ones on all short ones."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


def _load() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return importlib.import_module("calibration")


table = _load()
bench = sys.modules["calibration_measures"]
CASES = [case for case in bench.CASES if case.length < 2000]
LENGTHS = {"local": 500, "common envelope": 500, "residual": 500, "moments": 100, "group delay": 2000}
REPEATS = 25


def _within(rate: float, repeats: int, low: float = 0.03, high: float = 0.07) -> bool:
    """Whether a rate lies in a range, up to three binomial errors."""
    error = 3 * np.sqrt(0.05 * 0.95 / repeats)
    return low - error <= rate <= high + error


def _small(measure):  # type: ignore[no-untyped-def]
    """Choose a kind of series that is cheap and not refused."""
    length = next((length for word, length in LENGTHS.items() if word in measure.name), 500)
    usual = bench.Case(length, 0.0 if "spans" in measure.name else 0.5, "t3")
    return (
        usual
        if usual in measure.cases
        else min(measure.cases, key=lambda case: (abs(case.length - length), -case.coefficient))
    )


@pytest.mark.parametrize("measure", table.MEASURES, ids=lambda measure: measure.name)
def test_every_measure_lies_in_its_range(measure) -> None:  # type: ignore[no-untyped-def]
    result = table.judge(replace(measure, errors=3), _small(measure), REPEATS)
    assert result.passed, str(result)
    if measure.name != "shared moments, common envelope":
        assert result.refused < 0.95, "nothing is measured"


def test_rates_outside_their_range_fail() -> None:
    measure = table.Measure("always", lambda case, rng, count: np.zeros(count), 1)
    assert not table.judge(measure, CASES[0], 400).passed
    assert not table.judge(replace(measure, simulate=lambda case, rng, count: np.ones(count)), CASES[0], 400).passed
    refused = table.judge(replace(measure, simulate=lambda case, rng, count: np.full(count, np.nan)), CASES[0], 400)
    assert (refused.passed, refused.refused) == (True, 1.0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_hac_mean(case) -> None:  # type: ignore[no-untyped-def]
    for p in bench.hac_rates(case, np.random.default_rng(0), 2000).T:
        assert _within(bench.rate(p)[0], 2000)


@pytest.mark.parametrize("case", CASES[::2], ids=str)
def test_hac_mean_with_falling_variance_and_efficiency(case) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(1)
    assert _within(bench.rate(bench.envelope_rates(case, rng, 1000))[0], 1000)
    assert _within(bench.rate(bench.efficiency_rates(case, rng, 500))[0], 500)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_periodicity(case) -> None:  # type: ignore[no-untyped-def]
    assert _within(bench.rate(bench.periodicity_rates(case, np.random.default_rng(4), 2000))[0], 2000)


@pytest.mark.parametrize("case", [CASES[1], CASES[9]], ids=str)
def test_block_bootstrap(case) -> None:  # type: ignore[no-untyped-def]
    misses, p = bench.bootstrap_rates(case, np.random.default_rng(2), 300).T
    assert _within(bench.rate(misses)[0], 300)
    assert _within(bench.rate(p)[0], 300)


def test_power_in_autocorrelated_series() -> None:
    rng = np.random.default_rng(8)
    for case in CASES[6:]:
        assert bench.rate(bench.hac_rates(case, rng, 400, 3.0)[:, 1])[0] > 0.75
        assert bench.rate(bench.periodicity_rates(case, rng, 200, 0.8))[0] > 0.9
    strong = bench.coincidence_rates(bench.Case(500, 0.0, "normal"), rng, 40, common=1.5)
    assert bench.rate(strong)[0] > 0.9
