"""Options of the analyses: what they change, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from synthetic_store import synthetic_store

from lca_analysis.analysis import AnalysisOptions, analyze
from lca_analysis.errors import ArgumentError


def test_spans_and_tolerance_are_used_and_told(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=100, layers=2, splits=("train",))
    analyze(store, "synthetic", progress=False, peak_tolerance=2, spans=5, shortest_span=20)
    rows = store.table("results_hurting", run="synthetic", split="train", quantity="span_lca")
    assert rows["subject"].nunique() == 5
    peaks = store.table("results_peaks", run="synthetic", split="train", class_=-1)
    first, second = (own["iteration"].to_numpy() for _, own in peaks.groupby("layer"))
    apart = np.abs(first[:, None] - second)
    rows = store.table("results_synchronization", run="synthetic", split="train", class_=-1, quantity="shared_peaks")
    assert rows["method"].str.contains("at most 2 recorded steps apart").all()
    (pair,) = [row for _, row in rows.iterrows() if row["subject"] == "fc1|fc2"]
    assert pair["estimate"] == (np.minimum(apart, 100 - apart) <= 2).sum()
    assert pair["low"] <= pair["estimate"] <= pair["high"]
    whole = rows[rows["subject"].isna() & rows["estimate"].notna() & ~rows["null"].str.contains("residuals")]
    assert set(whole["estimate"]) == {pair["estimate"]}


@pytest.mark.parametrize("wrong", [{"spans": 1}, {"shortest_span": 19}, {"peak_tolerance": -1}, {"seed": -1}], ids=str)
def test_values_without_meaning_are_refused(wrong: dict[str, int]) -> None:
    (name,) = wrong
    with pytest.raises(ArgumentError, match=f"{name} must be a whole number"):
        AnalysisOptions(**wrong)


def test_unknown_option_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no option 'span'; it has: peak_tolerance, spans"):
        analyze(tmp_path, span=3)
