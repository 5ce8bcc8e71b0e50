"""The report as a PDF: what was found, then a page for each figure. It needs matplotlib alone, and no browser."""

import textwrap
from io import BytesIO
from typing import TYPE_CHECKING

from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
from matplotlib.figure import Figure

from lca_analysis.report.figures.names import plain
from lca_analysis.report.figures.style import INK, MUTED, WIDTH, style_context

if TYPE_CHECKING:
    from lca_analysis.report.catalogue import Drawing
    from lca_analysis.report.page import Page

PDF_NAME = "report.pdf"
PAGE_HEIGHT = 10.7
MARGIN = 0.4
LINE = 0.17
LETTERS = 98


def render_pdf(page: "Page", drawn: list[tuple["Drawing", Figure]]) -> bytes:
    """Write what was found and the figures as a PDF.

    Parameters
    ----------
    page : Page
        What the page of the run says.
    drawn : list of (Drawing, Figure)
        Its figures, in order.

    Returns
    -------
    bytes
        The file's contents: vector figures with real text, and without a date, so that they repeat.
    """
    buffer = BytesIO()
    with style_context(), PdfPages(buffer, metadata={"Title": page.run, "CreationDate": None}) as pages:
        for text in _text_pages(_lines(page)):
            _add(pages, text)
        for _, figure in drawn:
            _add(pages, figure)
    return buffer.getvalue()


def _add(pages: PdfPages, figure: Figure) -> None:
    """Add a figure as a page of its own size; PdfPages alone would ask pyplot for it."""
    FigureCanvasPdf(figure)
    figure.savefig(pages, format="pdf")  # type: ignore[arg-type]


def _lines(page: "Page") -> list[tuple[str, str]]:
    """Give the lines of the text with their kind: "head", "soft" or "text"."""
    lines = [*_wrap(page.run, "head"), *_wrap(page.subtitle, "soft")]
    lines += [("text", f"{tile.label}: {tile.text}") for tile in page.tiles]
    for note in page.notes:
        lines += [("text", ""), *_wrap(f"Note: {note}", "soft")]
    for found in page.found:
        lines += [("text", ""), ("head", f"What was found on the {found.split} split")]
        for sentence in found.sentences:
            lines += [("text", ""), *_wrap(f"{sentence.title}. {sentence.text}", "text" if sentence.holds else "soft")]
    return lines


def _wrap(text: str, kind: str) -> list[tuple[str, str]]:
    """Break a paragraph into lines of one kind."""
    return [(kind, line) for line in textwrap.wrap(text, LETTERS)]


def _text_pages(lines: list[tuple[str, str]]) -> list[Figure]:
    """Set lines on as many pages as they need."""
    fit = int((PAGE_HEIGHT - 2 * MARGIN) / LINE)
    return [_text_page(lines[start : start + fit]) for start in range(0, len(lines), fit)]


def _text_page(lines: list[tuple[str, str]]) -> Figure:
    """Set lines on one page."""
    figure = Figure(figsize=(WIDTH, PAGE_HEIGHT))
    for place, (kind, line) in enumerate(lines):
        figure.text(
            MARGIN / WIDTH, 1 - (MARGIN + LINE * place) / PAGE_HEIGHT, plain(line), va="top",
            color=MUTED if kind == "soft" else INK, weight="bold" if kind == "head" else "normal", fontsize=8.5,
        )  # fmt: skip
    return figure
