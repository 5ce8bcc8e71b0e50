"""The summary of a batch: a page, and the same as a table."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pyarrow as pa

from lca_analysis.batches.outcome import Outcome
from lca_analysis.disk import write_atomic
from lca_analysis.report import folder_name
from lca_analysis.report.facts import notes, tiles
from lca_analysis.report.page import render_batch
from lca_analysis.report.sources import EVERY_CLASS, Sources
from lca_analysis.store import Store
from lca_analysis.store.files import parquet_bytes

_TEXT, _WHOLE, _REAL = pa.string(), pa.int64(), pa.float64()
_RUN_COLUMNS = {
    "group": _TEXT, "optimizer": _TEXT, "learning_rate": _REAL, "momentum": _REAL, "weight_decay": _REAL,
    "seed": _WHOLE, "iterations": _WHOLE, "parameters": _WHOLE,
}  # fmt: skip
SCHEMA = pa.schema(
    {
        "run": _TEXT, "path": _TEXT, "status": _TEXT, "stage": _TEXT, "reason": _TEXT, "exit_code": _WHOLE,
        "page": _TEXT, **_RUN_COLUMNS, "split": _TEXT, "loss_first": _REAL, "loss_last": _REAL,
        "largest_residual": _REAL, "percent_helping": _REAL, "notes": _TEXT,
    }
)  # fmt: skip
"""Columns of ``summary.csv`` and ``summary.parquet``, one row per run."""


def write_summary(store: Store, out: Path, outcomes: list[Outcome], compared: bool = False) -> Path:
    """Write the summary page and table of a batch.

    They tell the state that the runs are in, not what one call did: however often a batch was interrupted, they come
    out the same.

    Parameters
    ----------
    store : Store
        The tables.
    out : Path
        Folder of the reports.
    outcomes : list of Outcome
        What became of every run.
    compared : bool
        Whether there is a page that compares the runs, to link to.

    Returns
    -------
    Path
        The page.
    """
    out.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([_row(store, outcome) for outcome in outcomes], SCHEMA)
    write_atomic(out / "summary.parquet", parquet_bytes(table))
    write_atomic(out / "summary.csv", table.to_pandas().to_csv(index=False, lineterminator="\n").encode())
    done = [_shown(store, outcome) for outcome in outcomes if not outcome.failed]
    failed = [vars(outcome) for outcome in outcomes if outcome.failed]
    write_atomic(out / "index.html", render_batch(done, failed, compared))
    return out / "index.html"


def _link(run: str) -> str:
    """Give the address of a run's page, from the summary."""
    return f"{quote(folder_name(run))}/index.html"


def _shown(store: Store, outcome: Outcome) -> dict[str, Any]:
    """Give what the page says of a run."""
    sources = Sources(store, outcome.run)
    texts = {fact.label: fact.text for fact in tiles(sources)}
    return {"run": outcome.run, "link": _link(outcome.run), "notes": notes(sources), "texts": texts}


def _row(store: Store, outcome: Outcome) -> dict[str, Any]:
    """Give what the table says of a run; of a failed one, why."""
    if outcome.failed:
        told = {"stage": outcome.stage, "reason": outcome.reason, "exit_code": outcome.exit_code}
        return {"run": outcome.run, "path": outcome.path, "status": "failed", **told}
    sources = Sources(store, outcome.run)
    run, steps = store.table("runs", run=outcome.run).iloc[0], sources.table("iterations")
    about = {name: None if pd.isna(run[name]) else run[name] for name in _RUN_COLUMNS}
    return {
        "run": outcome.run, "path": outcome.path, "status": "done", "exit_code": 0, "page": _link(outcome.run),
        **about, "split": sources.split, "loss_first": steps["loss_before"].iloc[0],
        "loss_last": steps["loss_after"].iloc[-1], "largest_residual": steps["residual"].abs().max(),
        "percent_helping": _percent_helping(sources), "notes": " ".join(notes(sources)) or None,
    }  # fmt: skip


def _percent_helping(sources: Sources) -> float | None:
    """Read the network's mean percent helping."""
    rows = sources.result("results_helping", "percent_helping")
    rows = rows[rows["layer"].isna() & (rows["class"] == EVERY_CLASS) & rows["estimate"].notna()]
    return float(rows["estimate"].iloc[0]) if len(rows) else None
