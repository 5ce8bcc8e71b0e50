"""Stores from which little or nothing can be concluded: a reason in every row, no warning, no error."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_store import synthetic_store

from lca_analysis.analysis import analyze, findings
from lca_analysis.analysis.layer_series import PARTS
from lca_analysis.errors import CorruptError
from lca_analysis.store import Store

COMMON = ["results_helping", "results_hurting", "results_oscillation", "results_synchronization"]


def _rewrite(store: Store, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change a table of the one run and split."""
    frame = store.table(name, run="synthetic", split="train")
    parts = store.parts(name, "synthetic", "train")
    store.remove("synthetic", "train", [name])
    store.write_part(name, change(frame.drop(columns=["run", "split"])), "synthetic", "train", parts[0])


def _checked(store: Store) -> dict[str, pd.DataFrame]:
    """Analyse, check the promises, and give the results."""
    analyze(store, progress=False)
    found = {name: store.table(name, run="synthetic", split="train") for name in COMMON}
    for name, rows in found.items():
        silent = rows[rows["estimate"].isna() & rows["reason"].isna()]
        assert silent.empty, f"{name}: {silent['quantity'].tolist()}"
        assert rows["reason"].dropna().str.len().gt(10).all()
        assert rows[rows["low"].notna()]["reason"].isna().all()
    assert all(finding.text for finding in findings(store, "synthetic", "train"))
    return found


@pytest.mark.parametrize("iterations", [1, 2, 3, 19, 31, 45, 70])
def test_few_iterations(tmp_path: Path, iterations: int) -> None:
    found = _checked(synthetic_store(tmp_path, iterations=iterations, layers=2, splits=("train",)))
    tested = found["results_hurting"].dropna(subset=["p"])
    assert (len(tested) > 0) == (iterations >= 20)


def test_one_layer(tmp_path: Path) -> None:
    found = _checked(synthetic_store(tmp_path, iterations=100, layers=1, splits=("train",)))
    rows = found["results_synchronization"]
    assert rows["reason"].str.contains("at least two layers").all()
    apart = found["results_oscillation"].query("quantity == 'lag_minus_rest'")
    assert apart["reason"].str.contains("no other layer").all()


_COUNTS = ["n_helping", "n_hurting"]


def _still(frame: pd.DataFrame, chosen: pd.Series | slice) -> pd.DataFrame:
    """Let nothing move."""
    names = [n for n in ("lca", "lca_helping", "lca_hurting", "step", "path_gradient", *PARTS, *_COUNTS) if n in frame]
    frame.loc[chosen, names] = 0
    return frame


@pytest.mark.parametrize("layer", [None, "fc2"])
def test_nothing_moves(tmp_path: Path, layer: str | None) -> None:
    store = synthetic_store(tmp_path, iterations=80, splits=("train",))
    for name in ("layers", "units", "series"):
        _rewrite(store, name, lambda f: _still(f, slice(None) if layer is None else f["layer"] == layer))
    _rewrite(
        store, "parameters", lambda f: _still(f, slice(None) if layer is None else f["tensor"].str.startswith(layer))
    )
    found = _checked(store)
    still = found["results_hurting"]
    still = still if layer is None else still[still["layer"] == layer]
    assert still["p"].isna().all()
    assert still["reason"].str.contains("constant").all()
    if layer is not None:
        other = found["results_hurting"]
        assert other[other["layer"].eq("fc1") & other["null"].notna()]["p"].notna().all()


def test_nonfinite_iterations(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=120, splits=("train",))
    bad = [7, 50]

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        rows = frame["iteration"].isin(bad)
        names = ("lca", "lca_helping", "lca_hurting", "step", "path_gradient")
        frame.loc[rows, [n for n in names if n in frame]] = np.nan
        frame.loc[rows, [n for n in _COUNTS if n in frame]] = 0
        return frame

    for name in ("layers", "units", "series"):
        _rewrite(store, name, spoil)
    found = _checked(store)
    net = found["results_hurting"].query("quantity == 'net_lca'")
    assert (net["n"] == 118).all()
    helping = found["results_helping"].query("quantity == 'percent_helping'")
    assert (helping["n"] == 118).all()
    lags = found["results_oscillation"].query("quantity == 'lag'")
    assert (lags["n"] == 69).all()
    peaks = store.table("results_peaks", run="synthetic", split="train")
    assert not peaks["iteration"].isin(bad).any()
    sums = store.table("layers", run="synthetic", split="train").groupby(["iteration", "layer"])["lca"].sum()
    at_peaks = sums.loc[list(zip(peaks["iteration"], peaks["layer"], strict=True))]
    np.testing.assert_allclose(peaks["lca"], at_peaks)
    assert (found["results_synchronization"]["n"] == 118).all()
    series = store.table("results_helping_series", run="synthetic", split="train")
    assert series[series["iteration"].isin(bad)]["percent_helping"].isna().all()
    layers = store.table("layers", run="synthetic", split="train").groupby("layer")["lca"].sum()
    cumulative = store.table("results_cumulative", run="synthetic", split="train", iteration=119)
    np.testing.assert_allclose(cumulative.set_index("layer")["lca"], layers)


def test_every_iteration_nonfinite(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=60, splits=("train",))
    for name in ("layers", "units", "series"):
        _rewrite(
            store,
            name,
            lambda f: f.assign(
                **{n: np.nan for n in ("lca", "lca_helping", "lca_hurting", "step", "path_gradient", *PARTS) if n in f},
                **{n: 0 for n in _COUNTS if n in f},
            ),
        )
    found = _checked(store)
    assert found["results_hurting"]["p"].isna().all()
    assert found["results_synchronization"]["p"].isna().all()


@pytest.mark.parametrize("missing", [["series"], ["parameters"], ["units"], ["series", "parameters", "units"]])
def test_missing_tables(tmp_path: Path, missing: list[str]) -> None:
    store = synthetic_store(tmp_path, iterations=60, layers=2, splits=("train",))
    store.remove("synthetic", "train", missing)
    found = _checked(store)
    if "series" in missing:
        lags = found["results_oscillation"].query("quantity == 'lag'")
        assert lags["layer"].tolist() == ["fc1", "fc2"]
        assert lags["reason"].str.contains("no sampled series").all()


def test_missing_indices_and_runs(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=60, layers=2, splits=("train",))
    store.remove("synthetic", tables=["layers_index", "parameters_index", "runs"])
    found = _checked(store)
    delay = found["results_oscillation"].query("quantity == 'momentum_delay'")
    assert delay["reason"].str.contains("no momentum").all()


def test_recorded_every_fifth_iteration(tmp_path: Path) -> None:
    one = synthetic_store(tmp_path / "one", iterations=200, splits=("train",))
    five = synthetic_store(tmp_path / "five", iterations=200, splits=("train",))
    for name in ("layers", "units", "series"):
        _rewrite(five, name, lambda f: f.assign(iteration=5 * f["iteration"]))
    first, second = (_checked(store)["results_oscillation"].set_index(["quantity", "layer"]) for store in (one, five))
    for quantity in ("flip_interval_step", "lag", "median_period_step"):
        np.testing.assert_allclose(
            second.loc[quantity]["estimate"].to_numpy(), 5 * first.loc[quantity]["estimate"].to_numpy()
        )
    period = [store.table("results_spectra", run="synthetic", split="train")["period"].max() for store in (one, five)]
    assert period[1] == 5 * period[0]


def test_buffers_have_a_loss_change_and_no_percent(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=60, layers=2, splits=("train",))

    def with_buffers(frame: pd.DataFrame) -> pd.DataFrame:
        extra = frame[frame["tensor"] == "fc1.bias"].assign(layer="buffers", tensor="bn.running_mean", kind="buffer")
        return pd.concat([frame, extra])

    _rewrite(store, "layers", with_buffers)
    found = _checked(store)
    net = found["results_hurting"].query("quantity == 'net_lca' and layer == 'buffers'")
    assert net["estimate"].notna().all()
    percent = found["results_helping"].query("quantity == 'percent_helping' and layer == 'buffers'")
    assert percent["estimate"].isna().all()


def test_incomplete_series_are_corrupt(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=60, layers=2, splits=("train",))
    _rewrite(store, "series", lambda f: f.drop(index=f.index[100]))
    with pytest.raises(CorruptError, match="'series' of run 'synthetic'"):
        analyze(store, progress=False)


def test_uneven_learning_refuses_shifts_round_the_whole_run(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path / "long", iterations=250, layers=3, splits=("train",))
    _rewrite(store, "layers", lambda f: f.assign(lca=f["lca"] * np.exp(-f["iteration"] / 40)))
    rows = _checked(store)["results_synchronization"].query("quantity == 'shared_peaks'")
    whole = rows[rows["subject"].isna()].set_index("null")
    circular = whole.index.str.endswith("circular shifts")
    assert whole.loc[~circular, "p"].notna().tolist() == [True, True]
    assert whole.loc[circular, "reason"].str.contains("do not learn evenly").tolist() == [True, True]
    store = synthetic_store(tmp_path / "short", iterations=160, layers=2, splits=("train",))
    _rewrite(store, "layers", lambda f: f.assign(lca=f["lca"] * np.exp(-f["iteration"] / 40)))
    rows = _checked(store)["results_synchronization"].query("quantity == 'shared_peaks'")
    whole = rows[rows["subject"].isna()].set_index("null")
    assert whole["p"].isna().all()
    assert "do not learn evenly" in whole.loc["independent layers, circular shifts", "reason"]
    assert whole.loc[~whole.index.str.endswith("circular shifts"), "reason"].tolist() == [
        "at least 200 finite steps are needed; there are 160",
        "local shifts of 2 layers by up to 3 steps are 7 in effect: too few for a p-value",
    ]
    pair = rows.dropna(subset=["subject"]).iloc[0]
    assert "within ±6 steps" in pair["null"]
    assert pair["reason"] == "13 shifts cannot reach p ≤ 0.05: the smallest possible is 0.077"
    assert np.isnan(pair["p"])
    texts = [finding.text for finding in findings(store, "synthetic", "train")]
    assert sum("do not learn evenly" in text for text in texts) == 1


def test_uneven_learning_tests_pairs_by_local_shifts(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=260, layers=2, splits=("train",))
    _rewrite(store, "layers", lambda f: f.assign(lca=f["lca"] * np.exp(-f["iteration"] / 60)))
    rows = _checked(store)["results_synchronization"].query("quantity == 'shared_peaks'")
    pair = rows.dropna(subset=["subject"]).iloc[0]
    assert "within ±10 steps" in pair["null"]
    assert pair["p"] >= 1 / 21


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_class_without_examples(tmp_path: Path, value: float) -> None:
    store = synthetic_store(tmp_path, iterations=80, layers=2, splits=("train",), classes=3)

    def without(frame: pd.DataFrame) -> pd.DataFrame:
        names = [n for n in ("lca", "lca_helping", "lca_hurting", "loss_change", "allocated", *PARTS) if n in frame]
        frame.loc[frame["class"] == 1, names] = value
        frame.loc[frame["class"] == 1, [n for n in _COUNTS if n in frame]] = 0
        return frame

    for name in ("layers", "iterations"):
        _rewrite(store, name, without)
    net = _checked(store)["results_hurting"].query("quantity == 'net_lca'")
    empty, others = net[net["class"] == 1], net[net["class"].isin([0, 2])]
    assert len(empty) == len(others) / 2 > 0
    assert empty["p"].isna().all()
    assert empty["reason"].str.contains("no values" if np.isnan(value) else "constant").all()
    assert others["p"].notna().all()


def _infinite(frame: pd.DataFrame) -> pd.DataFrame:
    names = [n for n in ("lca", "lca_helping", "lca_hurting", "step", "path_gradient", *PARTS) if n in frame]
    frame.loc[frame["iteration"].eq(40) & frame["layer"].eq("fc1"), names] = np.inf
    frame.loc[frame["iteration"].eq(40) & frame["layer"].eq("fc1"), [n for n in names if n == "lca_helping"]] = -np.inf
    return frame


def _tied(frame: pd.DataFrame) -> pd.DataFrame:
    names = [n for n in ("lca", "lca_helping", "lca_hurting", "step", "path_gradient", *PARTS) if n in frame]
    return frame.assign(**{name: np.sign(frame[name]) for name in names})


@pytest.mark.parametrize("change", [_infinite, _tied])
def test_infinite_and_tied_values(tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    store = synthetic_store(tmp_path, iterations=90, layers=2, splits=("train",))
    for name in ("layers", "units", "series"):
        _rewrite(store, name, change)
    found = _checked(store)
    net = found["results_hurting"].query("quantity == 'net_lca' and layer == 'fc1'")
    assert (net["n"] == (89 if change is _infinite else 90)).all()
    fits = store.table("results_distribution", run="synthetic", split="train")
    assert fits["aic"].notna().equals(fits["reason"].isna())
    assert fits["reason"].str.contains("one value makes up").all() == (change is _tied)
