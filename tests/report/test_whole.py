"""From a consistent store over the real analyses to a page."""

import re

import numpy as np
import pandas as pd
import pytest
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
    assert len(list((path.parent / "figures").iterdir())) == 30
    for finding in findings(analyzed, "synthetic", "train"):
        assert finding.text.replace("'", "&#39;").replace("<", "&lt;") in text
        assert f'href="#{finding.figure}"' in text
    assert "Layer fc3 hurt" in text


def test_the_numbers_behind_each_figure_are_one_click_away(analyzed, analyzed_page):
    text = analyzed_page.read_text(encoding="utf-8")
    sources = Sources(analyzed, "synthetic")
    linked = set(re.findall(r'href="(tables/[^"]+)"', text))
    assert linked == {str(file.relative_to(analyzed_page.parent)) for file in analyzed_page.parent.glob("tables/*")}
    for drawing in DRAWINGS:
        for name, frame in drawing.read(sources).items():
            assert {f"tables/{name}.csv", f"tables/{name}.parquet"} <= linked
            exact = pd.read_parquet(analyzed_page.parent / "tables" / f"{name}.parquet")
            pd.testing.assert_frame_equal(exact, frame.reset_index(drop=True), check_dtype=False)
            rounded = pd.read_csv(analyzed_page.parent / "tables" / f"{name}.csv", keep_default_na=True)
            assert list(rounded) == list(frame)
            assert len(rounded) == len(frame)
            for column in frame.select_dtypes("number"):
                np.testing.assert_allclose(rounded[column], frame[column].astype(float), rtol=1e-6)


def test_the_tables_add_up_to_the_loss_change(analyzed, analyzed_page):
    steps = pd.read_csv(analyzed_page.parent / "tables" / "residual.csv")
    layers = pd.read_csv(analyzed_page.parent / "tables" / "layers.csv")
    train = steps[steps["split"] == "train"]
    change = train["loss_after"].iloc[-1] - train["loss_before"].iloc[0]
    assert layers["lca"].sum() + train["residual"].sum() == pytest.approx(change, rel=1e-5)


def test_the_pdf_says_what_the_page_says_and_repeats(analyzed, analyzed_page, tmp_path, monkeypatch):
    few = [drawing for drawing in DRAWINGS if drawing.name in {"layers", "parts"}]
    monkeypatch.setattr("lca_analysis.report.build.DRAWINGS", few)
    files = [report(analyzed, tmp_path / name, progress=False, pdf=True)[0].parent / "report.pdf" for name in "ab"]
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert b"/CreationDate" not in first
    assert first.count(b"/Type /Page ") == 2 + len(few)  # the findings of two splits fill two pages
    # Type 42 is TrueType: text that can be searched and edited.
    assert b"/FontType 42" in first or b"/Subtype /Type0" in first
    assert b"/Subtype /Type3" not in first
    assert 'href="report.pdf"' in (files[0].parent / "index.html").read_text(encoding="utf-8")
    assert "report.pdf" not in analyzed_page.read_text(encoding="utf-8")


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
