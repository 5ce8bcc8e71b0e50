"""The report: figures and pages of the runs of a store."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from lca_analysis.disk import write_atomic
from lca_analysis.errors import NotFoundError
from lca_analysis.progress import track
from lca_analysis.report.catalogue import DRAWINGS, Drawing
from lca_analysis.report.comparing import SEEDS, write_comparison
from lca_analysis.report.embedding import Picture, embed
from lca_analysis.report.facts import tiles
from lca_analysis.report.page import Card, folder_name, make_page, render_index, render_page
from lca_analysis.report.pdf import PDF_NAME, render_pdf
from lca_analysis.report.saving import render, table_files
from lca_analysis.report.sources import Sources
from lca_analysis.store import Store, open_store

RESULTS_PREFIX = "results_"


def report(
    store: Store | str | os.PathLike[str],
    out: str | os.PathLike[str],
    run: str | None = None,
    progress: bool | None = None,
    index: bool | None = None,
    pdf: bool = False,
) -> list[Path]:
    """Draw the figures of every run and write its page.

    Parameters
    ----------
    store : Store or path
        The store, with the results of the analyses.
    out : path
        Folder for the report, made where it is missing: ``<out>/<run>/index.html``, the figures as files in
        ``<out>/<run>/figures`` and the numbers behind them in ``<out>/<run>/tables``; and ``<out>/index.html``,
        which lists the runs, when there are several; ``<out>/comparison.html`` when they have been compared over seeds.
    run : str, optional
        Only this run; None reports all.
    progress : bool, optional
        True shows a progress bar, False none, None one on a terminal only.
    index : bool, optional
        Whether the pages link to ``<out>/index.html`` and it is written; None: when there are several. True for one
        run is for a caller that writes it.
    pdf : bool
        Whether to write ``<out>/<run>/report.pdf`` as well: what was found, and a page for each figure.

    Returns
    -------
    list of Path
        The page of each run. The same store gives the same files.

    Raises
    ------
    NotFoundError
        There is no such run, or a run has no results of the analyses.
    CorruptError, FormatError
        A table of the store cannot be read.
    """
    store = store if isinstance(store, Store) else open_store(store)
    chosen = _reportable([Sources(store, name) for name in _runs(store, run)])
    Path(out).mkdir(parents=True, exist_ok=True)  # where that cannot be, say so before the work
    several = len(chosen) > 1 if index is None else index
    with track(len(chosen) * len(DRAWINGS), "report", "figure", progress) as bar:
        pages = [_report_run(sources, Path(out), several, pdf, bar.update) for sources in chosen]
    if several and len(chosen) > 1:
        rows = [(sources.run, tiles(sources)) for sources in chosen]
        write_atomic(Path(out) / "index.html", render_index(rows, _compare(store, Path(out))))
    return pages


def _compare(store: Store, out: Path) -> bool:
    """Write the page that compares configurations, and say whether they have seeds enough for one."""
    if not store.files(SEEDS):
        return False
    try:
        write_comparison(store, out)
    except NotFoundError:
        return False
    return True


def _runs(store: Store, run: str | None) -> list[str]:
    """List the runs to report."""
    known = store.runs()
    if run is not None and run not in known:
        raise NotFoundError(f"{store.path} has no run {run!r}; it has: {', '.join(known) or 'none'}")
    if not known:
        raise NotFoundError(f"{store.path} has no runs; compute one with: lca compute")
    return known if run is None else [run]


def _reportable(asked: list[Sources]) -> list[Sources]:
    """Choose the runs that have results; the others are named in a warning, or raise when there is none."""
    chosen, missing = [], []
    for sources in asked:
        try:
            _check(sources)
            chosen.append(sources)
        except NotFoundError as error:
            missing.append(error)
    if not chosen:
        raise missing[0]
    for reason in missing:
        warnings.warn(f"not reported: {reason}", UserWarning, stacklevel=3)
    return chosen


def _check(sources: Sources) -> None:
    """Raise where a run has not been computed or analyzed."""
    tables = sources.store.tables(sources.run)
    for needed, verb in (("runs", "compute"), ("iterations", "compute"), ("layers_index", "compute")):
        if needed not in tables:
            raise NotFoundError(
                f"the run {sources.run!r} in {sources.store.path} has no table {needed!r}; run: lca {verb}"
            )
    if not any(name.startswith(RESULTS_PREFIX) for name in tables):
        raise NotFoundError(
            f"the run {sources.run!r} in {sources.store.path} has no results to report; run: lca analyze "
            f"{sources.store.path}"
        )


def _report_run(sources: Sources, out: Path, index: bool, pdf: bool, advance: Callable[[int], object]) -> Path:
    """Write the figures, the numbers behind them, and the page of one run."""
    folder = out / folder_name(sources.run)
    for part in ("figures", "tables"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    plates = [_plate(sources, drawing, advance) for drawing in DRAWINGS]
    for plate in plates:
        for suffix, data in plate.files.items():
            write_atomic(folder / "figures" / f"{plate.drawing.name}.{suffix}", data)
        for name, frame in plate.frames.items():
            for suffix, data in table_files(frame).items():
                write_atomic(folder / "tables" / f"{name}.{suffix}", data)
    page = make_page(sources, _cards(sources, plates), index, pdf)
    if pdf:
        drawn = [(plate.drawing, plate.figure) for plate in plates if plate.figure is not None]
        write_atomic(folder / PDF_NAME, render_pdf(page, drawn))
    write_atomic(folder / "index.html", render_page(page))
    return folder / "index.html"


@dataclass(frozen=True)
class _Plate:
    """A figure as drawn and rendered, with the frames behind it, or the reason why there is none."""

    drawing: Drawing
    frames: dict[str, pd.DataFrame]
    figure: Figure | None
    files: dict[str, bytes]
    reason: str


def _plate(sources: Sources, drawing: Drawing, advance: Callable[[int], object]) -> _Plate:
    """Draw and render one figure."""
    try:
        frames = _read(sources, drawing)
        figure = drawing.plot(*frames.values())
        return _Plate(drawing, frames, figure, render(figure), "")
    except NotFoundError as error:
        return _Plate(drawing, {}, None, {}, str(error))
    finally:
        advance(1)


def _read(sources: Sources, drawing: Drawing) -> dict[str, pd.DataFrame]:
    """Read what a figure draws, or say which of its tables is missing."""
    for name in drawing.tables:
        if not sources.has(name, sources.split):
            raise NotFoundError(f"there is no table {name} for the {sources.split} split")
        if name.startswith(RESULTS_PREFIX) and sources.table(name).empty:
            raise NotFoundError(f"the analysis could not fill {name}; the rows without a result below say why")
    return drawing.read(sources)


def _cards(sources: Sources, plates: list[_Plate]) -> list[Card]:
    """Lay the figures out for the page."""
    figures = {plate.drawing.name: plate.figure for plate in plates if plate.figure is not None}
    files = {plate.drawing.name: plate.files for plate in plates if plate.figure is not None}
    pictures = embed(figures, files)
    return [_card(sources, plate, pictures.get(plate.drawing.name)) for plate in plates]


def _card(sources: Sources, plate: _Plate, picture: Picture | None) -> Card:
    """Lay one figure out for the page."""
    about = plate.drawing
    if picture is None:
        return Card(about.name, about.title, about.caption, reason=plate.reason)
    alt = f"{about.title}, run {sources.run}. {about.caption}"
    return Card(about.name, about.title, about.caption, alt, **vars(picture), frames=tuple(plate.frames))
