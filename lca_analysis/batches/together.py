"""The runs of a batch put together: their comparison over seeds, and its page."""

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from lca_analysis.analysis import compare
from lca_analysis.batches.marks import hash_files
from lca_analysis.batches.outcome import Outcome
from lca_analysis.disk import write_atomic
from lca_analysis.errors import NotFoundError
from lca_analysis.report.comparing import COMPARISON, FOLDER, PAGE, SEEDS, write_comparison
from lca_analysis.store import Store

_MARK = Path("_batch") / "comparison.json"
_INPUTS = ("runs", "computations", "iterations", "layers", "layers_index")


def put_together(store: Store, out: Path, outcomes: list[Outcome]) -> bool:
    """Compare the runs of a store and write the page, where that is missing or stale.

    Parameters
    ----------
    store : Store
        The tables.
    out : Path
        Folder of the reports.
    outcomes : list of Outcome
        What became of every run.

    Returns
    -------
    bool
        Whether there is a page: it takes two runs that did not fail.
    """
    done = [outcome for outcome in outcomes if not outcome.failed]
    if len(done) < 2:
        (out / PAGE).unlink(missing_ok=True)
    if done and (any(outcome.did for outcome in done) or _read(store) != _state(store, out)):
        compare(store)
        if len(done) > 1:
            _write_page(store, out)
        write_atomic(store.path / _MARK, json.dumps(_state(store, out)).encode())
    return (out / PAGE).is_file()


def _write_page(store: Store, out: Path) -> None:
    """Write the page, where the configurations have enough to show."""
    try:
        write_comparison(store, out)
    except NotFoundError:
        (out / PAGE).unlink(missing_ok=True)


def _read(store: Store) -> object:
    """Read what the state was when the page was written."""
    try:
        return json.loads((store.path / _MARK).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _state(store: Store, out: Path) -> dict[str, str]:
    """Hash the names and sizes of the files that go in and come out."""
    tables = [store.path / name for name in (*_INPUTS, SEEDS, COMPARISON)]
    return {
        "package": version("lca-analysis"),
        "tables": hash_files(store.path, (file for table in tables for file in table.rglob("*.parquet"))),
        "page": hash_files(out, _page_files(out)),
    }


def _page_files(out: Path) -> Iterator[Path]:
    """List the page and its files."""
    yield out / PAGE
    yield from (out / FOLDER).rglob("*")
