"""From a consistent store over the real analyses to a page."""

import re

from synthetic_store import synthetic_store

from lca_analysis.analysis import analyze, findings
from lca_analysis.report import report
from lca_analysis.report.catalogue import DRAWINGS
from lca_analysis.report.quantities import describe_quantity
from lca_analysis.report.results import RESULTS
from lca_analysis.report.sources import Sources


def test_the_page_says_and_draws_what_the_analyses_found(analyzed, analyzed_page):
    path = analyzed_page
    text = path.read_text(encoding="utf-8")
    assert "No figure" not in text
    assert len(list((path.parent / "figures").iterdir())) == 24
    for finding in findings(analyzed, "synthetic", "train"):
        assert finding.text.replace("'", "&#39;").replace("<", "&lt;") in text
        assert f'href="#{finding.figure}"' in text
    assert "Layer fc3 hurt" in text


def test_every_quantity_has_its_words(analyzed):
    names = {name for table in RESULTS for name in analyzed.table(table)["quantity"]}
    spoken = {name for name in names if describe_quantity(name) != name.replace("_", " ").capitalize()}
    assert {name for name in names - spoken if not re.fullmatch(r"sampled_lca_periods_below_\d+", name)} == set()


def test_intervals_of_layers_are_those_of_their_tests(analyzed):
    [drawing] = [drawing for drawing in DRAWINGS if drawing.name == "layers"]
    right = drawing.draw(Sources(analyzed, "synthetic")).axes[1]
    rows = analyzed.table("results_hurting", split="train", quantity="net_lca", class_=-1, layer="fc3")
    tested = rows[rows["p"].notna()].iloc[0]
    drawn = [tuple(line.get_xdata()) for line in right.get_lines() if len(line.get_xdata()) == 2]
    assert (tested["low"], tested["high"]) in drawn


def test_a_run_too_short_for_the_analyses_says_why(tmp_path, monkeypatch):
    few = [drawing for drawing in DRAWINGS if drawing.name in {"loss", "spectra"}]
    monkeypatch.setattr("lca_analysis.report.build.DRAWINGS", few)
    store = synthetic_store(tmp_path / "store", iterations=6, splits=("train",))
    analyze(store, progress=False)
    [path] = report(store, tmp_path / "out", progress=False)
    text = path.read_text(encoding="utf-8")
    assert "no result:" in text
    assert "No figure: the analysis could not fill results_spectra" in text
