"""Which tables, runs and splits a store's folder holds."""

from collections.abc import Sequence
from pathlib import Path

from lca_analysis.errors import NotFoundError
from lca_analysis.store.folders import parquet_files, partition_folders
from lca_analysis.store.layout import check_partition
from lca_analysis.store.schema import TableSchema
from lca_analysis.store.schemas import TABLES

Partition = tuple[dict[str, str], Path]
"""The values of the partition columns, and the folder that holds the parts."""

Names = str | Sequence[str] | None
"""One name, several, or None for all."""


def partitions(root: Path, table: TableSchema) -> list[Partition]:
    """List the partitions of a table that hold a part, in the order of their values."""
    found: list[Partition] = [({}, root / table.name)]
    for key in table.partitions:
        found = [
            ({**values, key: value}, inner)
            for values, folder in found
            for value, inner in partition_folders(key, folder)
        ]
    return [(values, folder) for values, folder in found if parquet_files(folder)]


def names_of(root: Path, key: str, run: str | None = None) -> list[str]:
    """List the runs or the splits, of one run or of all, that have any table."""
    every = [values for table in TABLES.values() for values, _ in partitions(root, table)]
    return sorted({values[key] for values in every if key in values and run in (None, values.get("run"))})


def tables_of(root: Path, run: str | None = None, split: str | None = None) -> list[str]:
    """List the tables that are present, of one run and split or of all."""
    return [
        name
        for name, table in TABLES.items()
        if any(
            run in (None, values.get("run")) and split in (None, values.get("split"))
            for values, _ in partitions(root, table)
        )
    ]


def choose(root: Path, table: TableSchema, run: Names, split: Names) -> list[Partition]:
    """List the partitions that a reader asks for, or raise when one of them is not there."""
    check_partition(table, run, split)
    asked = {key: _as_list(names) for key, names in (("run", run), ("split", split)) if names is not None}
    chosen = [
        (values, folder)
        for values, folder in partitions(root, table)
        if all(values[key] in names for key, names in asked.items())
    ]
    for key, names in asked.items():
        absent = [name for name in names if name not in {values[key] for values, _ in chosen}]
        check_known(root, key, absent)
        if absent:
            raise _absent(root, table, asked)
    if not chosen:
        raise _absent(root, table, asked)
    return chosen


def check_known(root: Path, key: str, names: list[str]) -> None:
    """Raise when the store has no such run or split in any table."""
    known = names_of(root, key) if names else []
    for name in names:
        if name not in known:
            raise NotFoundError(f"{root} has no {key} {name!r}; it has: {', '.join(known) or 'none'}")


def _as_list(names: str | Sequence[str]) -> list[str]:
    """Turn one name into a list of it."""
    return [names] if isinstance(names, str) else list(names)


def _absent(root: Path, table: TableSchema, asked: dict[str, list[str]]) -> NotFoundError:
    """Say that a table is not there for what was asked, and which tables are."""
    whose = "".join(f" of {key} {', '.join(names) or '(none)'}" for key, names in asked.items())
    return NotFoundError(
        f"{root} has no table {table.name!r}{whose}; write it with: {table.written_by}. "
        f"Tables there: {', '.join(tables_of(root)) or 'none'}"
    )
