import re
from pathlib import Path

import pandas as pd
import pytest
from synthetic_store import synthetic_store

from lca_analysis.analysis import Finding, analyze, findings
from lca_analysis.analysis.wording import listed, p_text, plain, signed
from lca_analysis.errors import NotFoundError
from lca_analysis.store import Store


def _titled(found: list[Finding], title: str) -> Finding:
    return next(finding for finding in found if finding.title == title)


def test_planted_effects_are_said(analysed: Store) -> None:
    found = findings(analysed, "synthetic", "train")
    hurts = _titled(found, "fc3 hurts")
    rows = analysed.table("results_hurting", run="synthetic", split="train", class_=-1, layer="fc3")
    row = rows[(rows["quantity"] == "net_lca") & (rows["alternative"] == "greater")].iloc[0]
    assert hurts.text.startswith(f"Layer fc3 hurt: it changed the train loss by {row['estimate']:+.3g} (95 % interval")
    assert f"{row['low']:.3g} to {row['high']:.3g}" in hurts.text
    assert "Holm p" in hurts.text
    assert hurts.significant
    assert hurts.p == row["p_adjusted"]
    assert "2 of 3 layers helped (fc1 and fc2" in _titled(found, "Layers that help").text
    assert "behind the other layers" in _titled(found, "fc3 lags differently").text
    shared = [finding for finding in found if finding.title == "Shared moments of learning"]
    assert [finding.significant for finding in shared] == [True, True, False, False]
    assert "no evidence" in shared[2].text
    assert "no evidence" in shared[3].text
    assert "more often than independent layers would." in shared[0].text


def test_no_effect_is_said_honestly(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=60, layers=2, splits=("train",))
    analyze(store, progress=False)
    frame = store.table("results_hurting", run="synthetic", split="train").drop(columns=["run", "split"])
    frame.loc[frame["p"].notna(), ["p", "p_adjusted"]] = 0.4
    store.write_part("results_hurting", frame, "synthetic", "train")
    found = findings(store, "synthetic", "train")
    text = _titled(found, "No layer hurts").text
    assert "No evidence that any layer hurt" in text
    assert "p = 0.4: not significant" in text
    assert _titled(found, "Undecided layers").text == "For fc1 and fc2 there is no evidence either way."
    assert "No evidence that any of 16 neurons" in _titled(found, "Neurons and channels that hurt").text


def _without_test(store: Store, layer: str, estimate: float, reason: str) -> None:
    frame = store.table("results_hurting", run="synthetic", split="train").drop(columns=["run", "split"])
    rows = (frame["layer"] == layer) & (frame["quantity"] == "net_lca")
    frame.loc[rows, ["low", "high", "confidence", "statistic", "p", "p_adjusted"]] = float("nan")
    frame.loc[rows, ["estimate", "reason"]] = [estimate, reason]
    store.write_part("results_hurting", frame, "synthetic", "train")


def test_layers_that_cannot_be_tested_are_named_with_what_they_did(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=60, layers=3, splits=("train",))
    analyze(store, progress=False)
    _without_test(store, "fc3", 0.0366, "too strongly autocorrelated")
    _without_test(store, "fc2", 0.0, "the series is constant")
    found = findings(store, "synthetic", "train")
    assert "No layer hurts" not in {finding.title for finding in found}
    assert "any tested layer hurt" in _titled(found, "No tested layer hurts").text
    untested = _titled(found, "Layers without a test").text
    assert untested == "Not tested: fc3, which changed the loss by +0.0366 (too strongly autocorrelated)."
    assert _titled(found, "Layers at rest").text == "Never moved the loss: fc2."
    assert "fc2" not in " ".join(finding.text for finding in found if finding.title == "Undecided layers")


def test_the_two_halves_of_one_comparison_are_one_finding(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=300, layers=2, splits=("train",))
    analyze(store, progress=False)
    frame = store.table("results_oscillation", run="synthetic", split="train").drop(columns=["run", "split"])
    rows = frame["quantity"] == "lag_minus_rest"
    assert rows.sum() == 2
    assert frame.loc[rows, "low"].notna().all()
    frame.loc[rows, ["p", "p_adjusted"]] = 0.01
    store.write_part("results_oscillation", frame, "synthetic", "train")
    titles = [finding.title for finding in findings(store, "synthetic", "train")]
    assert [title for title in titles if "lags differently" in title] == ["fc1 lags differently"]


def test_short_run_says_why_there_is_no_test(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=10, layers=2, splits=("train",))
    analyze(store, progress=False)
    texts = " ".join(finding.text for finding in findings(store, "synthetic", "train"))
    assert "No layer could be tested: at least 20 iterations are needed; there are 10" in texts
    assert "Synchrony was not tested" in texts
    assert "nan" not in texts


def test_significance_agrees_with_p(analysed: Store) -> None:
    for finding in findings(analysed, "synthetic", "validation"):
        assert finding.significant == (pd.notna(finding.p) and finding.p <= 0.05)
        assert not re.search(r"\bnan\b|None|p = 0[ ;)]", finding.text)
        assert finding.text.endswith((".", ".)"))


def test_figures_are_those_of_the_report(analysed: Store) -> None:
    known = {"layers", "helping", "parameter_helping", "units", "spectra", "lag", "peaks"}
    assert {finding.figure for finding in findings(analysed, "synthetic", "train")} <= known


def test_unanalysed_store_names_the_command(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=30, layers=1, splits=("train",))
    with pytest.raises(NotFoundError, match="lca analyze"):
        findings(store, "synthetic", "train")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "= 0.5"), (0.0123, "= 0.012"), (0.00099, "= 9.9 · 10⁻⁴"), (1e-10, "= 1.0 · 10⁻¹⁰"), (1e-11, "< 10⁻¹⁰")],
)
def test_p_values_in_words(value: float, text: str) -> None:
    assert p_text(value) == text


def test_numbers_in_words() -> None:
    assert signed(0.1234) == "+0.123"
    assert signed(-0.1234) == "−0.123"
    assert plain(-12345.0) == "−1.23e+04"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([str(i) for i in range(9)]) == "0, 1, 2, 3, 4 and 4 more"
