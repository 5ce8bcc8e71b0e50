"""The pages: everything a template needs, and the templates filled in."""

from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lca_analysis.report.facts import GLOSSARY, Fact, facts, notes, subtitle, tiles
from lca_analysis.report.results import Group, Row, result_rows
from lca_analysis.report.sources import Sources
from lca_analysis.report.statements import Statement, statements


@dataclass(frozen=True)
class Card:
    """A figure on the page, or the reason why it is not there."""

    name: str
    title: str
    caption: str
    alt: str = ""
    source: str = ""
    width: int = 0
    height: int = 0
    vector: bool = False
    frames: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Section:
    """The results of one split."""

    split: str
    network: list[Row]
    groups: list[Group]


@dataclass(frozen=True)
class Found:
    """What was found in one split."""

    split: str
    sentences: list[Statement]


@dataclass(frozen=True)
class Page:
    """All that the page of a run says."""

    run: str
    split: str
    subtitle: str
    version: str
    index: bool
    pdf: bool
    tiles: list[Fact]
    notes: list[str]
    found: list[Found]
    cards: list[Card]
    sections: list[Section]
    facts: list[Fact]
    glossary: tuple[Fact, ...] = GLOSSARY


def folder_name(run: str) -> str:
    """Write a run's name as the name of a folder, which cannot leave the one that it is in."""
    name = quote(run, safe=" ")
    return name.replace(".", "%2E") if name.startswith(".") or name == "index.html" else name


def make_page(sources: Sources, cards: list[Card], index: bool, pdf: bool = False) -> Page:
    """Gather what the page of a run says.

    Parameters
    ----------
    sources : Sources
        The run's tables.
    cards : list of Card
        Its figures.
    index : bool
        Whether there is a page of all runs to link to.
    pdf : bool
        Whether there is a PDF to link to.

    Returns
    -------
    Page
        What `render_page` takes.
    """
    return Page(
        run=sources.run,
        split=sources.split,
        subtitle=subtitle(sources),
        version=version("lca-analysis"),
        index=index,
        pdf=pdf,
        tiles=tiles(sources),
        notes=notes(sources),
        found=[Found(split, statements(sources, split)) for split in sources.splits],
        cards=cards,
        sections=[Section(split, *result_rows(sources, split)) for split in sources.splits],
        facts=facts(sources),
    )


def render_page(page: Page) -> bytes:
    """Write the page of a run as HTML that needs nothing else.

    Parameters
    ----------
    page : Page
        What it says.

    Returns
    -------
    bytes
        UTF-8.
    """
    return fill("run.html.j2", page=page)


def render_index(rows: list[tuple[str, list[Fact]]], compared: bool = False) -> bytes:
    """Write the page that lists runs.

    Parameters
    ----------
    rows : list of (str, list of Fact)
        Each run with its main numbers; the labels may differ between runs.
    compared : bool
        Whether there is a page that compares configurations, to link to.

    Returns
    -------
    bytes
        UTF-8.
    """
    labels = list(dict.fromkeys(fact.label for _, numbers in rows for fact in numbers))
    shown = []
    for run, numbers in rows:
        texts = {fact.label: fact.text for fact in numbers}
        link = f"{quote(folder_name(run))}/index.html"
        shown.append({"run": run, "link": link, "texts": [texts.get(label, "–") for label in labels]})
    return fill("runs.html.j2", rows=shown, labels=labels, compared=compared, version=version("lca-analysis"))


def render_batch(rows: list[dict[str, Any]], failed: list[dict[str, Any]], compared: bool = False) -> bytes:
    """Write the page that sums a batch up.

    Parameters
    ----------
    rows : list of dict
        Of each run that has a page: run, link, notes (list of str) and texts (label to text).
    failed : list of dict
        Of each run that failed: run, path, stage and reason.
    compared : bool
        Whether there is a page that compares configurations, to link to.

    Returns
    -------
    bytes
        UTF-8.
    """
    labels = list(dict.fromkeys(label for row in rows for label in row["texts"]))
    about = {"rows": rows, "failed": failed, "labels": labels, "compared": compared}
    return fill("batch.html.j2", **about, version=version("lca-analysis"))


def fill(template: str, **context: Any) -> bytes:
    """Fill in a template; everything from a table is escaped."""
    environment = Environment(
        loader=PackageLoader("lca_analysis.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style = files("lca_analysis.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    # The style sheet is the package's own; it holds no text from a run.
    return environment.get_template(template).render(style=Markup(style), **context).encode("utf-8")
