"""Lags and synchrony of analysed runs, pooled over the runs of a configuration."""

import numpy as np
import pytest
from scipy import stats
from small_stores import write_run

from lca_analysis.analysis import compare
from lca_analysis.analysis.rows import Row, to_frame

SEEDS = 8
_NULL = "independent layers, within ±3 steps (local shifts)"


def _analysed(store, run: str, lag: float, delay: float, shared: float) -> None:
    """Write what an analysis would."""
    rows = [
        Row("lag", "m", 100, layer="last", estimate=lag),
        Row("lag_minus_rest", "m", 100, layer="last", estimate=lag - 2),
        Row("mean_delay_minus_momentum", "m", 100, layer="last", estimate=delay, low=delay - 1),
        Row("mean_delay_minus_momentum", "m", 100, layer="first", estimate=delay),
    ]
    store.write_part("results_oscillation", to_frame(rows, "results_oscillation"), run, "train")
    rows = [
        Row("shared_peaks", "m", 100, estimate=shared, null=_NULL),
        Row("expected_shared_peaks", "m", 100, estimate=10.0, null=_NULL),
        Row("shared_peaks", "m", 100, subject="first|last", estimate=99.0, null=_NULL),
    ]
    store.write_part("results_synchronization", to_frame(rows, "results_synchronization"), run, "train")


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    random = np.random.default_rng(0)
    drawn = random.normal([3, 0.2, 14], [0.5, 1, 2], (SEEDS, 3))
    for seed, values in enumerate(drawn):
        store = write_run(
            tmp_path_factory.getbasetemp() / "analysed_values", f"r{seed}", {"first": -1.0, "last": 1.0}, seed=seed
        )
        _analysed(store, f"r{seed}", *values)
    compare(store)
    return store.table("results_seeds", split="train"), drawn


def _row(rows, quantity: str, method: str = "mean"):
    chosen = rows[(rows["quantity"] == quantity) & rows["method"].str.contains(method)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_lags_have_an_interval_over_runs(pooled):
    rows, drawn = pooled
    row = _row(rows, "lag")
    low, high = stats.t.interval(0.95, SEEDS - 1, drawn[:, 0].mean(), stats.sem(drawn[:, 0]))
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx((drawn[:, 0].mean(), low, high))
    assert np.isnan(row["p"])
    assert row["replication"] == "runs"


def test_differences_are_tested_over_runs(pooled):
    rows, drawn = pooled
    for quantity, values in (("lag_minus_rest", drawn[:, 0] - 2), ("mean_delay_minus_momentum", drawn[:, 1])):
        row = _row(rows, quantity)
        assert row["p"] == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
        assert row["layer"] == "last"  # the first layer's delays are too long for its runs
        assert _row(rows, quantity, "sign test")["n"] == SEEDS


def test_synchrony_is_tested_over_runs(pooled):
    rows, drawn = pooled
    row = _row(rows, "excess_shared_peaks_local")
    assert row["estimate"] == pytest.approx(drawn[:, 2].mean() - 10)
    assert row["p"] == pytest.approx(stats.ttest_1samp(drawn[:, 2], 10, alternative="greater").pvalue)
    assert "excess_shared_peaks" not in set(rows["quantity"])


def test_runs_that_are_not_analysed_have_no_rows(tmp_path):
    for seed in range(3):
        store = write_run(tmp_path, f"r{seed}", {"last": 1.0 + seed}, seed=seed)
    compare(store)
    assert not store.table("results_seeds", split="train")["quantity"].str.startswith(("lag", "excess")).any()
