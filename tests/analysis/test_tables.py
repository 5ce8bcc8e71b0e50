"""The tables of results of a store with planted effects."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests
from synthetic_store import MOMENTUM, PERIOD, hurting_layer, peak_iterations, synthetic_store

from lca_analysis.analysis import analyze
from lca_analysis.analysis.inference import hac_mean
from lca_analysis.errors import ArgumentError, NotFoundError
from lca_analysis.store import TABLES, Store

COMMON = ["results_helping", "results_hurting", "results_oscillation", "results_synchronization"]


def _rows(store: Store, table: str, quantity: str, split: str = "train") -> pd.DataFrame:
    frame = store.table(table, run="synthetic", split=split, class_=-1)
    return frame[frame["quantity"] == quantity]


def _layer_sums(store: Store, column: str, split: str = "train") -> pd.DataFrame:
    frame = store.table("layers", run="synthetic", split=split, class_=-1)
    return frame.pivot_table(index="iteration", columns="layer", values=column, aggfunc="sum")


def test_every_results_table_is_filled(analysed: Store) -> None:
    for name in (name for name, table in TABLES.items() if name.startswith("results_") and table.has_run):
        for split in ("train", "validation"):
            assert len(analysed.table(name, run="synthetic", split=split)) > 0, name


@pytest.mark.parametrize("name", COMMON)
def test_rows_keep_their_promises(analysed: Store, name: str) -> None:
    rows = analysed.table(name, run="synthetic")
    assert (rows["estimate"].notna() | rows["reason"].notna()).all()
    assert (rows["low"].isna() == rows["high"].isna()).all()
    assert (rows["low"].isna() == rows["confidence"].isna()).all()
    ends = rows.dropna(subset=["low", "estimate"])
    assert (ends["low"] <= ends["estimate"] + 1e-12).all()
    assert (ends["estimate"] <= ends["high"] + 1e-12).all()
    tests = rows.dropna(subset=["p"])
    assert ((tests["p"] >= 0) & (tests["p"] <= 1)).all()
    assert tests["null"].notna().all()
    adjusted = tests[tests["quantity"] != "shared_peaks_tail"]
    assert (adjusted["p_adjusted"] >= adjusted["p"]).all()
    assert adjusted["adjustment"].notna().all()
    assert adjusted["alternative"].notna().all()


def test_every_p_value_has_an_interval_beside_it(analysed: Store) -> None:
    for name in COMMON:
        rows = analysed.table(name, run="synthetic", class_=-1).dropna(subset=["p"])
        # the tail repeats the row before it; an example is a parameter chosen to be shown
        rows = rows[~rows["quantity"].isin(["shared_peaks_tail", "oscillating_parameter"]) & (rows["estimate"] != 0)]
        assert rows["low"].notna().all(), name


def test_net_lca_is_the_sum_of_the_layers_table(analysed: Store) -> None:
    totals = _layer_sums(analysed, "lca").sum()
    rows = _rows(analysed, "results_hurting", "net_lca")
    for _, row in rows.iterrows():
        truth = totals.sum() if pd.isna(row["layer"]) else totals[row["layer"]]
        assert row["estimate"] == pytest.approx(truth, rel=1e-12)


def test_planted_layer_hurts_and_the_others_help(analysed: Store) -> None:
    tests = _rows(analysed, "results_hurting", "net_lca").dropna(subset=["layer", "p"])
    assert tests["method"].nunique() == 2
    for _, rows in tests.groupby("method"):
        hurting = rows[rows["alternative"] == "greater"].set_index("layer")["p_adjusted"] <= 0.05
        helping = rows[rows["alternative"] == "less"].set_index("layer")["p_adjusted"] <= 0.05
        assert hurting[hurting].index.tolist() == [hurting_layer(3)]
        assert helping[helping].index.tolist() == ["fc1", "fc2"]


def test_hurting_is_corrected_by_holm(analysed: Store) -> None:
    rows = _rows(analysed, "results_hurting", "net_lca")
    for _, tests in rows[rows["alternative"].eq("less") & rows["layer"].notna()].groupby("method"):
        np.testing.assert_allclose(tests["p_adjusted"], multipletests(tests["p"], method="holm")[1])
    units = _rows(analysed, "results_hurting", "unit_lca")
    assert len(units) == 3 * 12
    np.testing.assert_allclose(units["p_adjusted"], multipletests(units["p"], method="fdr_bh")[1])


def test_classes_add_up_and_are_tested(analysed: Store) -> None:
    rows = analysed.table("results_hurting", run="synthetic", split="train", quantity="net_lca", alternative="greater")
    totals = rows.dropna(subset=["layer"]).pivot_table(index="layer", columns="class", values="estimate")
    np.testing.assert_allclose(totals[0] + totals[1], totals[-1], rtol=1e-9)


def test_percent_helping_is_the_mean_of_counts(analysed: Store) -> None:
    helping, hurting = _layer_sums(analysed, "n_helping"), _layer_sums(analysed, "n_hurting")
    network = 100 * helping.sum(axis=1) / (helping.sum(axis=1) + hurting.sum(axis=1))
    row = _rows(analysed, "results_helping", "percent_helping").dropna(subset=["p"]).iloc[0]
    assert row["estimate"] == pytest.approx(network.mean())
    test = hac_mean(network.to_numpy(), null=50)
    assert row["statistic"] == pytest.approx(test.statistic[0])
    assert row["p"] == pytest.approx(test.p[0], rel=1e-9, abs=0)
    series = analysed.table("results_helping_series", run="synthetic", split="train", layer=None)
    np.testing.assert_allclose(series["percent_helping"], network)


def test_efficiency_is_net_over_gross(analysed: Store) -> None:
    net = _layer_sums(analysed, "lca").sum()
    gross = _layer_sums(analysed, "lca_hurting").sum() - _layer_sums(analysed, "lca_helping").sum()
    rows = _rows(analysed, "results_helping", "efficiency").dropna(subset=["layer"]).set_index("layer")
    np.testing.assert_allclose(rows["estimate"], 100 * net / gross)


def test_parameter_counts_add_up(analysed: Store) -> None:
    frame = analysed.table("results_parameter_helping", run="synthetic", split="train")
    parameters = analysed.table("parameters", run="synthetic", split="train")
    moved = (parameters["n_helping"] + parameters["n_hurting"] > 0).sum()
    assert frame[frame["layer"].isna()]["count"].sum() == moved
    assert frame[frame["layer"].notna()]["count"].sum() == moved


def test_distribution_ranks_from_zero(analysed: Store) -> None:
    frame = analysed.table("results_distribution", run="synthetic", split="train")
    best = frame.groupby(frame["layer"].fillna("network"))["delta_aic"].min()
    np.testing.assert_allclose(best, 0)
    assert len(frame) == 4 * 4


def test_spectral_lca_sums_to_the_sampled_lca(analysed: Store) -> None:
    series = analysed.table("series", run="synthetic", split="train")
    product = series["step"].astype(np.float64) * series["path_gradient"].astype(np.float64)
    truth = product.groupby(series["layer"]).sum()
    spectra = analysed.table("results_spectra", run="synthetic", split="train")
    np.testing.assert_allclose(spectra.groupby("layer")["lca"].sum(), truth, rtol=1e-10)
    totals = _layer_sums(analysed, "lca").sum()
    fraction = spectra.groupby("layer")["lca_sampled_fraction"].first()
    np.testing.assert_allclose(fraction, truth / totals, rtol=1e-6)
    rows = _rows(analysed, "results_oscillation", "sampled_lca").set_index("layer")
    np.testing.assert_allclose(rows["estimate"], truth, rtol=1e-10)


def test_planted_period_is_found(analysed: Store) -> None:
    rows = _rows(analysed, "results_oscillation", "median_period_step")
    assert rows["estimate"].between(PERIOD - 1, PERIOD + 1).all()
    shares = _rows(analysed, "results_oscillation", "percent_periodic_step")
    assert (shares["estimate"] > 30).all()
    spectra = analysed.table("results_spectra", run="synthetic", split="train")
    for _, rows in spectra.groupby("layer"):
        peak = rows.loc[rows["power_step"].idxmax(), "period"]
        assert peak == pytest.approx(PERIOD, rel=0.25)


def test_planted_lag_is_found(analysed: Store) -> None:
    lag = _rows(analysed, "results_oscillation", "lag").set_index("layer")
    assert lag.loc[hurting_layer(3), "low"] > lag.loc[["fc1", "fc2"], "high"].max()
    assert lag.loc[hurting_layer(3), "estimate"] - lag.loc["fc1", "estimate"] == pytest.approx(PERIOD // 2, abs=1)
    apart = _rows(analysed, "results_oscillation", "lag_minus_rest").set_index("layer")
    assert apart.loc[hurting_layer(3), "low"] > 0
    delay = _rows(analysed, "results_oscillation", "momentum_delay")
    assert delay["estimate"].tolist() == [MOMENTUM / (1 - MOMENTUM)]
    curve = analysed.table("results_lag_curve", run="synthetic", split="train")
    best = curve.loc[curve.groupby("layer")["cross_correlation"].idxmax()].set_index("layer")["lag"]
    np.testing.assert_array_equal(best, lag["estimate"].round())


def test_planted_moments_are_shared(analysed: Store) -> None:
    peaks = analysed.table("results_peaks", run="synthetic", split="train", class_=-1)
    planted = set(peak_iterations(400).tolist())
    for layer, rows in peaks.groupby("layer"):
        assert planted <= set(rows["iteration"]), layer
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        assert rows["lca"].is_monotonic_increasing
    rows = _rows(analysed, "results_synchronization", "shared_peaks")
    whole = rows[rows["subject"].isna() & ~rows["null"].str.contains("residuals")]
    assert len(whole) == 2
    assert (whole["p_adjusted"] < 0.02).all()
    pairs = rows.dropna(subset=["subject"])
    assert pairs["subject"].tolist() == ["fc1|fc2", "fc1|fc3", "fc2|fc3"]
    assert whole["estimate"].tolist() == [pairs["estimate"].sum()] * 2


def test_moments_are_those_of_the_layers_table(analysed: Store) -> None:
    sums = _layer_sums(analysed, "lca")
    peaks = analysed.table("results_peaks", run="synthetic", split="train", class_=-1)
    for _, row in peaks.iterrows():
        assert row["lca"] == pytest.approx(sums.loc[row["iteration"], row["layer"]])


def test_cumulative_ends_at_the_sum(analysed: Store) -> None:
    frame = analysed.table("results_cumulative", run="synthetic", split="train")
    last = frame[frame["iteration"] == 399].set_index("layer")["lca"]
    np.testing.assert_allclose(last, _layer_sums(analysed, "lca").sum())


def _bytes(store: Store) -> dict[str, bytes]:
    files = [file for name in TABLES if name.startswith("results_") for _, file in store.files(name)]
    return {str(file.relative_to(store.path)): file.read_bytes() for file in files}


def test_again_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=120, splits=("train",))
    analyze(store, progress=False)
    first = _bytes(store)
    analyze(str(tmp_path), run="synthetic", split="train", progress=False)
    assert _bytes(store) == first
    analyze(store, seed=1, progress=False)
    assert _bytes(store) != first


def test_only_the_chosen_run_and_split_are_analysed(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=60, layers=2)
    synthetic_store(tmp_path, run="other", iterations=60, layers=2, seed=1)
    analyze(store, run="other", split="train", progress=False)
    assert [values for values, _ in store.files("results_hurting")] == [{"run": "other", "split": "train"}]
    with pytest.raises(NotFoundError, match="other"):
        analyze(store, run="missing", progress=False)
    with pytest.raises(NotFoundError, match="test"):
        analyze(store, split="test", progress=False)
    with pytest.raises(ArgumentError, match="seed must be a whole number"):
        analyze(store, seed=-1, progress=False)


def test_a_run_does_not_change_with_its_neighbours(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=80, layers=2, splits=("train",))
    analyze(store, progress=False)
    alone = {name: data for name, data in _bytes(store).items() if "run=synthetic" in name}
    assert len(alone) > 3
    synthetic_store(tmp_path, run="other", iterations=60, layers=2, seed=1, splits=("train",))
    analyze(store, progress=False)
    assert {name: data for name, data in _bytes(store).items() if "run=synthetic" in name} == alone
