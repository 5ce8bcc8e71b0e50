"""Spans of training, parts of the update, and train against validation: rows of ``results_hurting``."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from statsmodels.stats.multitest import multipletests

from lca_analysis.analysis.inference import hac_mean
from lca_analysis.analysis.layer_series import PARTS, LayerSeries
from lca_analysis.analysis.options import AnalysisOptions
from lca_analysis.analysis.table_generalization import generalization_rows
from lca_analysis.analysis.table_parts import part_rows
from lca_analysis.analysis.table_spans import span_edges, span_rows
from lca_analysis.store import Store


def _series(lca: np.ndarray, names: tuple[str, ...] = ("a", "b"), first: int = 0) -> LayerSeries:
    """Layers with a given loss change."""
    nothing = np.zeros_like(lca)
    steps = np.arange(first, first + len(lca))
    parts = {name: nothing for name in PARTS}
    return LayerSeries(steps, names, {-1: lca}, nothing, nothing, nothing, nothing, parts=parts)


def test_hurting_stretch_is_found_and_joined() -> None:
    lca = np.random.default_rng(0).standard_normal((1000, 2)) - 0.3
    lca[300:500, 1] += 1.0
    rows = span_rows(_series(lca), AnalysisOptions())
    spans = [row for row in rows if row.quantity == "span_lca"]
    assert len(spans) == 2 * 10
    np.testing.assert_allclose(sum(row.estimate for row in spans if row.layer == "b"), lca[:, 1].sum())
    np.testing.assert_allclose(
        [row.p_adjusted for row in spans], multipletests([row.p for row in spans], method="holm")[1]
    )
    (joined,) = [row for row in rows if row.quantity == "hurting_span"]
    assert (joined.layer, joined.subject) == ("b", "iterations 300 to 499")
    assert joined.estimate == pytest.approx(lca[300:500, 1].sum())
    members = [row for row in spans if row.layer == "b" and row.p_adjusted <= 0.05]
    assert joined.p_adjusted == max(row.p_adjusted for row in members)


def test_spans_keep_the_family_wise_error() -> None:
    rng = np.random.default_rng(1)
    found = [span_rows(_series(rng.standard_normal((500, 2))), AnalysisOptions()) for _ in range(150)]
    wrong = [any(row.quantity == "hurting_span" for row in rows) for rows in found]
    assert np.mean(wrong) <= 0.07 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_spans_that_count_as_few_independent_iterations_are_refused() -> None:
    walk = lfilter([1.0], [1.0, -0.9], np.random.default_rng(1).standard_normal((500, 1)), axis=0)
    rows = span_rows(_series(np.hstack([walk, walk[:, :1] + 50.0])), AnalysisOptions())
    assert {row.quantity for row in rows} == {"span_lca"}
    assert any("divide into fewer spans" in str(row.reason) for row in rows)
    for row in rows:
        assert " independent " in str(row.reason)
        assert np.isnan([row.p, row.p_adjusted, row.low, row.high]).all()
        assert np.isfinite(row.estimate)


@pytest.mark.parametrize(("length", "spans"), [(10, 0), (99, 0), (100, 2), (320, 6), (5000, 10)])
def test_short_runs_have_fewer_spans(length: int, spans: int) -> None:
    assert max(len(span_edges(length, AnalysisOptions())) - 1, 0) == spans
    if length < 100:
        assert span_rows(_series(np.zeros((length, 2))), AnalysisOptions()) == []


def test_parts_of_the_update_sum_to_the_layers_loss_change(analysed: Store) -> None:
    rows = analysed.table("results_hurting", run="synthetic", split="train", class_=-1)
    whole = rows[(rows["quantity"] == "net_lca") & (rows["alternative"] == "less")].drop_duplicates("layer")
    parts = rows[rows["quantity"].isin(PARTS)]
    assert len(parts) == 3 * 4
    for _, row in whole.iterrows():
        same = parts["layer"].isna() if pd.isna(row["layer"]) else parts["layer"] == row["layer"]
        assert parts[same]["estimate"].sum() == pytest.approx(row["estimate"], rel=1e-6)
    layers = parts[parts["layer"].notna()]
    np.testing.assert_allclose(layers["p_adjusted"], multipletests(layers["p"], method="holm")[1])


def test_update_that_was_not_divided_has_a_reason() -> None:
    series = _series(np.random.default_rng(2).standard_normal((60, 2)))
    series = LayerSeries(
        *(getattr(series, name) for name in list(LayerSeries.__dataclass_fields__)[:7]),
        parts={name: np.full((60, 2), np.nan) for name in PARTS},
    )
    for row in part_rows(series):
        assert "was not divided" in str(row.reason)
        assert np.isnan(row.p)


def test_layer_that_only_helps_train_is_found() -> None:
    rng = np.random.default_rng(3)
    train = rng.standard_normal((500, 3)) - 0.4
    here = train + rng.standard_normal((500, 3)) * 0.5
    here[:, 1] += 0.8
    rows = generalization_rows(_series(here[20:], ("a", "b", "c"), 20), _series(train, ("a", "b", "c")), "validation")
    both = {row.layer: row for row in rows if row.quantity == "helps_train_hurts_here"}
    assert [name for name, row in both.items() if row.p_adjusted <= 0.05] == ["b"]
    assert both["b"].p == pytest.approx(
        max(hac_mean(train[20:, 1], alternative="less").p[0], hac_mean(here[20:, 1], alternative="greater").p[0])
    )
    paired = {row.layer: row for row in rows if row.quantity == "net_lca_minus_train"}
    assert paired["b"].estimate == pytest.approx((here - train)[20:, 1].sum())
    assert paired["b"].n == 480
    assert paired["b"].p_adjusted <= 0.05


def test_validation_is_compared_with_train_and_train_is_not(analysed: Store) -> None:
    for split, count in (("validation", 3), ("train", 0)):
        rows = analysed.table("results_hurting", run="synthetic", split=split)
        assert (rows["quantity"] == "net_lca_minus_train").sum() == count
        assert (rows["quantity"] == "helps_train_hurts_here").sum() == count


def test_percent_helping_of_classes_has_rows_of_its_own(analysed: Store) -> None:
    rows = analysed.table("results_helping", run="synthetic", split="train", quantity="percent_helping")
    tensors = analysed.table("layers", run="synthetic", split="train")
    single = rows[rows["class"] >= 0].set_index(["class", "layer"])
    assert len(single) == 2 * 4
    for (label, layer), sums in tensors[tensors["class"] >= 0].groupby(["class", "layer"]):
        by_step = sums.groupby("iteration")[["n_helping", "n_hurting"]].sum()
        share = 100 * by_step["n_helping"] / by_step.sum(axis=1)
        assert single.loc[(label, layer), "estimate"] == pytest.approx(share.mean())
