"""The pages in a real browser: nothing fails to load, nothing is asked of the network, and the keyboard is enough."""

from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import sync_playwright
from report.browser import FLAGS, Seen, chromium
from small_stores import write_run

from lca_analysis.analysis import compare
from lca_analysis.disk import write_atomic
from lca_analysis.report.catalogue import DRAWINGS
from lca_analysis.report.comparing import write_comparison
from lca_analysis.report.facts import Fact
from lca_analysis.report.page import render_batch, render_index

NARROW, WIDE = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
FAILED = {"run": "broken", "path": "runs/broken", "stage": "compute", "reason": "the loss is not finite"}


@pytest.fixture(scope="module")
def browser():
    """Chromium, for all tests of this file."""
    path = chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def show(browser):
    """Open a page; all are closed after the test."""
    contexts = []

    def open_page(path, viewport=WIDE, **settings):
        contexts.append(browser.new_context(viewport=viewport, **settings))
        return Seen(contexts[-1].new_page()).open(path)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """The pages beside those of runs: a list of them, a batch in which one failed, and configurations compared."""
    folder = tmp_path_factory.mktemp("others")
    for name, hurt in (("plain", 0.3), ("with a very long name of its configuration", 0.1)):
        for seed in range(3):
            net = {"first": -2.0 - 0.1 * seed, "last": hurt + 0.02 * seed**2}
            store = write_run(folder / "store", f"{name} {seed}", net, seed=seed, group=name)
    compare(store)
    write_comparison(store, folder)
    write_atomic(folder / "list.html", render_index([("one", [Fact("train loss", "2 → 1")])], compared=True))
    done = {"run": "one", "link": "one/index.html", "notes": ["A note."], "texts": {"train loss": "2 → 1"}}
    write_atomic(folder / "batch.html", render_batch([done], [FAILED], compared=True))
    (folder / "one").mkdir()
    for name in ("one/index.html", "index.html", "summary.csv", "summary.parquet"):
        write_atomic(folder / name, b"")
    return folder


@pytest.fixture(params=["run", "list", "batch", "comparison"])
def path(request):
    """Each kind of page."""
    if request.param == "run":
        return request.getfixturevalue("analyzed_page")
    return request.getfixturevalue("others") / f"{request.param}.html"


def test_the_page_loads_whole_without_a_request_or_a_complaint(show, path):
    seen = show(path)
    seen.page.mouse.wheel(0, 1e6)
    loaded = seen.page.evaluate("[...document.images].map(image => image.complete && image.naturalWidth > 100)")
    assert len(loaded) >= {"index.html": len(DRAWINGS), "comparison.html": 1}.get(path.name, 0)
    assert all(loaded)
    assert seen.requests == [path.as_uri()]
    assert seen.complaints == []


def test_links_to_files_lead_to_them(show, path):
    links = show(path).page.evaluate("[...document.links].map(link => link.href).filter(link => !link.includes('#'))")
    assert len(links) >= 1
    for link in links:
        assert Path(unquote(urlsplit(link).path)).is_file(), link


def test_the_policy_of_the_page_refuses_scripts_and_the_network(show, analyzed_page, tmp_path):
    text = analyzed_page.read_text(encoding="utf-8")
    bad = '<script>document.title = "run"</script><img src="http://127.0.0.1:9/x.png" alt="">'
    (tmp_path / "bad.html").write_text(text.replace("</main>", f"{bad}</main>"), encoding="utf-8")
    seen = show(tmp_path / "bad.html")
    assert seen.page.title() != "run"
    refused = [text for text in seen.complaints if "Content Security Policy" in text]
    assert len(refused) == len(seen.complaints) == 2


def test_links_of_the_page_lead_to_their_places(show, analyzed_page):
    seen = show(analyzed_page, reduced_motion="reduce")
    links = seen.page.locator('a[href^="#"]:not(.skip):visible')
    assert links.count() > 3
    for link in links.all():
        link.focus()
        link.press("Enter")
        place = link.get_attribute("href")
        assert seen.page.evaluate("decodeURIComponent(location.hash)") == place
        top = seen.page.evaluate("document.querySelector(location.hash).getBoundingClientRect().top")
        assert -1 <= top < WIDE["height"]


def test_tab_visits_everything_in_order_and_shows_where_it_is(show, path):
    seen = show(path, reduced_motion="reduce")
    expected = seen.stops()
    walked = seen.walk()
    assert [stop["place"] for stop in walked] == expected
    assert all(before["place"] < after["place"] for before, after in pairwise(walked))
    assert walked[0]["href"] == "#content"
    for stop in walked:
        assert stop["inside"], stop
        assert stop["outline"] != "none", stop
        assert stop["width"] >= 2, stop


def test_the_skip_link_leads_past_the_header(show, analyzed_page):
    seen = show(analyzed_page, reduced_motion="reduce")
    seen.page.keyboard.press("Tab")
    assert seen.page.locator(".skip").bounding_box()["x"] >= 0
    seen.page.keyboard.press("Enter")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_details_open_and_close_by_keyboard(show, analyzed_page):
    seen = show(analyzed_page)
    summaries = seen.page.locator("summary").all()
    assert len(summaries) > 2
    for key, summary in zip(("Enter", "Space", "Enter"), summaries, strict=False):
        parts = summary.locator("xpath=..")
        assert parts.get_attribute("open") is None
        summary.focus()
        seen.page.keyboard.press(key)
        assert parts.get_attribute("open") is not None
        assert parts.locator("table, ul").first.is_visible()
        seen.page.keyboard.press(key)
        assert parts.get_attribute("open") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(show, path, scheme):
    # axe is a script, which the page's own policy refuses: it is lifted here, and held to above.
    seen = show(path, color_scheme=scheme, bypass_csp=True)
    seen.page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
    assert seen.accuse() == []


def test_pages_fit_a_narrow_screen(show, path):
    seen = show(path, NARROW)
    seen.page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_axe_does_find_what_is_wrong(show, analyzed_page, tmp_path):
    text = analyzed_page.read_text(encoding="utf-8")
    (tmp_path / "bad.html").write_text(text.replace(' alt="', ' data-alt="', 1), encoding="utf-8")
    assert [name for name, _, _ in show(tmp_path / "bad.html", bypass_csp=True).accuse()] == ["image-alt"]
