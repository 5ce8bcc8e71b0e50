"""What a store holds, in a few numbers."""

from typing import Any

from lca_analysis.store.marker import FORMAT_VERSION
from lca_analysis.store.reading import readable
from lca_analysis.store.schemas import TABLES
from lca_analysis.store.store import Store


def describe(store: Store) -> dict[str, Any]:
    """Summarise a store.

    Parameters
    ----------
    store : Store
        The store.

    Returns
    -------
    dict
        JSON-able: ``path``, ``format_version``, ``bytes`` of all parts, ``runs`` (name to its ``splits`` and
        ``tables``), ``tables`` (name to ``rows``, ``parts``, ``bytes``, ``runs`` and ``description``).

    Raises
    ------
    CorruptError
        A file is damaged; the message names it.
    """
    tables = {name: _describe_table(store, name) for name in store.tables()}
    runs = {run: {"splits": store.splits(run), "tables": store.tables(run)} for run in store.runs()}
    total = sum(table["bytes"] for table in tables.values())
    return {
        "path": str(store.path),
        "format_version": FORMAT_VERSION,
        "bytes": total,
        "runs": runs,
        "tables": tables,
    }


def _describe_table(store: Store, name: str) -> dict[str, Any]:
    """Count a table's rows, parts and bytes."""
    files = [file for _, file in store.files(name)]
    rows = 0
    for file in files:
        with readable(file) as opened:
            rows += opened.metadata.num_rows
    return {
        "rows": rows,
        "parts": len(files),
        "bytes": sum(file.stat().st_size for file in files),
        "runs": len({values["run"] for values, _ in store.files(name) if "run" in values}),
        "description": TABLES[name].description,
    }
