"""The pages: whole, safe, self-contained, and the same every time."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from report import made_up
from report.conftest import FINDINGS

from lca_analysis.errors import NotFoundError
from lca_analysis.report import report
from lca_analysis.report.catalogue import DRAWINGS
from lca_analysis.report.page import folder_name

STRANGE = "<script>alert('&\"x')<script>"
VOID = {"meta", "img", "br", "hr", "link"}


class Page(HTMLParser):
    """Reads a page, insisting that every element is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module", autouse=True)
def findings():
    """What the analyses say of made-up results."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lca_analysis.report.statements.findings", lambda store, run, split: FINDINGS)
        yield FINDINGS


@pytest.fixture(params=[3, 21, 60])
def written(request, report_of):
    """Pages of 3, 21 and 60 layers: the file, its text, and the page as read."""
    path, _ = report_of(request.param)
    text = path.read_text(encoding="utf-8")
    return path, text, Page(text)


@pytest.fixture
def small(report_of):
    """The page of 3 layers."""
    return report_of(3)[0]


def test_page_is_where_it_is_said_to_be_with_all_figures(written):
    path, _, _ = written
    assert path.parts[-2:] == ("run", "index.html")
    names = {f"{drawing.name}.{suffix}" for drawing in DRAWINGS for suffix in ("png", "svg")}
    assert {file.name for file in (path.parent / "figures").iterdir()} == names


def test_page_is_small_and_needs_no_network(written):
    path, text, page = written
    assert path.stat().st_size < 5_000_000
    assert not re.search(r"https?://|//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    assert page.all("script") == page.all("link") == page.all("iframe") == []
    assert all(image["src"].startswith("data:image/") for image in page.all("img"))


def test_every_picture_has_its_text_and_its_size(written):
    _, _, page = written
    assert len(page.all("img")) == len(DRAWINGS)
    for image in page.all("img"):
        assert len(image["alt"]) > 40
        assert int(image["width"]) > 100
        assert int(image["height"]) > 100


def test_links_lead_somewhere(written):
    path, _, page = written
    places = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(places) == len(set(places))
    for link in page.all("a"):
        if link["href"].startswith("#"):
            assert link["href"][1:] in places
        else:
            assert (path.parent / unquote(link["href"])).is_file()


def test_headings_do_not_skip_a_level(written):
    _, _, page = written
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_page_can_be_walked_by_keyboard(written):
    _, text, page = written
    assert page.all("a")[0] == {"class": "skip", "href": "#content"}
    assert page.all("html") == [{"lang": "en"}]
    assert ":focus-visible" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_figure_files_keep_their_text_and_carry_no_date(small):
    for file in (small.parent / "figures").glob("*.svg"):
        svg = file.read_text(encoding="utf-8")
        assert "<text" in svg
        assert "dc:date" not in svg
    assert "cumulative LCA (loss)" in (small.parent / "figures" / "cumulative.svg").read_text(encoding="utf-8")


def test_the_same_store_gives_the_same_files(small, store_of, tmp_path):
    [again] = report(store_of(3), tmp_path, progress=False)
    files = sorted(file.relative_to(small.parent) for file in small.parent.rglob("*") if file.is_file())
    assert files == sorted(file.relative_to(again.parent) for file in again.parent.rglob("*") if file.is_file())
    for file in files:
        assert (small.parent / file).read_bytes() == (again.parent / file).read_bytes(), file


def test_page_says_what_was_found_and_how_it_was_computed(small):
    words = Page(small.read_text(encoding="utf-8")).words
    for said in (
        "no result: too few iterations", "< 0.001 (1.0 × 10⁻⁵)", "< 0.001 (2.0 × 10⁻⁵) holm",
        "−0.900 to −0.100 (95 %)", "helping", "residual",
        "exact to the bit", "tolerance 0.001", "torch 2.13.0", "0" * 64, "seed of the training",
    ):  # fmt: skip
        assert said in words, said


def test_findings_are_sentences_that_lead_to_their_figures(small):
    text = small.read_text(encoding="utf-8")
    page = Page(text)
    assert page.words.count("<em>fc3</em> hurts. Layer fc3 hurt & <b>more</b>.") == 2
    assert page.words.count("Percent helping. No evidence.") == 2
    assert [attrs.get("class") for attrs in page.all("li")[2:4]] == [None, "open"]
    first = text[text.index('id="found"') : text.index('id="figures"')]
    assert first.count('href="#layers"') == 2
    assert "nowhere" not in first


def test_residual_and_losses_are_those_of_the_table(small, store_of):
    words = Page(small.read_text(encoding="utf-8")).words
    steps = store_of(3).table("iterations", run="run", split="train")
    assert f"{steps['loss_before'].iloc[0]:.2f} → {steps['loss_after'].iloc[-1]:.2f}" in words
    mantissa = f"{steps['residual'].abs().max():.1e}".split("e")[0]
    assert f"at most {mantissa} × 10⁻⁴ in a step" in words
    assert "estimated at most 1.0 × 10⁻⁶, median 1.0 × 10⁻⁶" in words
    assert f"{(steps['status'] == 'tolerance').sum()} of 120 steps did not meet the tolerance" in words


def test_a_strange_run_name_stays_text_and_stays_inside(tmp_path, monkeypatch):
    monkeypatch.setattr("lca_analysis.report.build.DRAWINGS", DRAWINGS[1:2])
    store = made_up.write_store(tmp_path / "store", 3, runs=(STRANGE, ".."))
    pages = report(store, tmp_path / "out", progress=False)
    for path, run in zip(pages, store.runs(), strict=True):
        assert path.resolve().is_relative_to(tmp_path / "out")
        page = Page(path.read_text(encoding="utf-8"))
        assert page.all("script") == []
        assert run in page.words
    listing = Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    links = [link["href"] for link in listing.all("a")[1:]]
    assert [tmp_path / "out" / unquote(link) for link in links] == pages
    assert STRANGE in listing.words
    alone = report(store.path, tmp_path / "alone", run="..", progress=False)
    assert alone == [tmp_path / "alone" / "%2E%2E" / "index.html"]
    assert not (tmp_path / "alone" / "index.html").exists()
    assert "../index.html" in [link["href"] for link in Page(pages[0].read_text(encoding="utf-8")).all("a")]


@pytest.mark.parametrize("run", ["plain-1_0", "a/b", "..", ".", "index.html", "ü %", STRANGE])
def test_folder_names_are_distinct_and_cannot_leave(run):
    name = folder_name(run)
    assert unquote(name) == run
    assert Path(name).name == name
    assert name not in {"..", ".", "index.html"}


def test_missing_things_are_named(tmp_path):
    store = made_up.write_store(tmp_path / "store", 3)
    with pytest.raises(NotFoundError, match="no run 'other'; it has: run"):
        report(store, tmp_path / "out", run="other")
    store.remove("run", tables=[name for name in store.tables("run") if name.startswith("results_")])
    with pytest.raises(NotFoundError, match="run: lca analyze"):
        report(store, tmp_path / "out")
    store.remove("run", tables=["layers_index"])
    with pytest.raises(NotFoundError, match=r"layers_index.*lca compute"):
        report(store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_missing_or_doubtful_is_said(tmp_path, monkeypatch):
    few = [drawing for drawing in DRAWINGS if drawing.name in {"loss", "spectra", "units"}]
    monkeypatch.setattr("lca_analysis.report.build.DRAWINGS", few)
    store = made_up.write_store(tmp_path / "store", 3)
    store.remove("run", tables=["results_spectra", "units"])
    row = store.table("runs", run="run").drop(columns="run").assign(lossless=False, complete=False)
    said = ["checkpoints are <far> apart", "recorded with a bounded error: 0.08 points at worst"]
    row = row.assign(error_fraction=0.0625, longest_step=50, source="theirs (torch)", cautions=json.dumps(said))
    store.write_part("runs", row, "run")
    [path] = report(store, tmp_path / "out", progress=False)
    words = Page(path.read_text(encoding="utf-8")).words
    assert "No figure: there is no table results_spectra for the train split" in words
    assert "No figure: there is no table units for the train split" in words
    assert not (path.parent / "figures" / "spectra.svg").exists()
    for sentence in said:
        assert f"{sentence[0].upper()}{sentence[1:]}." in words  # before the findings
        assert f"what the recording does to the statistics {sentence}" in " ".join(words.split())  # how it was computed
    recording = "with a bounded error of 0.0625 of each weight's running mean step; every iteration, up to 50 apart"
    assert f"{recording}; preset small; imported from theirs (torch)" in words
    assert "was not closed in order" in words
