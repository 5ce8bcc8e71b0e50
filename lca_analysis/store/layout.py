"""Where a part of a table lies: <table>/run=<run>/split=<split>/<part>.parquet."""

import re
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.dataset as ds

from lca_analysis.errors import ArgumentError
from lca_analysis.store.schema import TableSchema
from lca_analysis.store.schemas import schema_of

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_NULL = "__HIVE_DEFAULT_PARTITION__"
_LONGEST_NAME = 255


def part_name(first: int, last: int) -> str:
    """Name the part of an iteration range, so that names and ranges have the same order.

    Parameters
    ----------
    first, last : int, iterations
        The range.

    Returns
    -------
    str
        ``part-<first>-<last>``, the numbers padded to ten digits.
    """
    return f"part-{first:010d}-{last:010d}"


def partitioning(name: str) -> ds.Partitioning:
    """Describe a table's folders to pyarrow, with every run and split a string (a run named 7 stays "7").

    Parameters
    ----------
    name : str
        Name of the table.

    Returns
    -------
    pyarrow.dataset.Partitioning
        For the argument ``partitioning`` of ``pandas.read_parquet`` and ``pyarrow.dataset.dataset``.

    Raises
    ------
    NotFoundError
        There is no table of this name.
    """
    keys = pa.schema([(key, pa.string()) for key in schema_of(name).partitions])
    return ds.HivePartitioning(keys, segment_encoding="uri")


def partition_folder(table: TableSchema, run: str | None, split: str | None) -> Path:
    """Give the folder of a partition, relative to the store."""
    check_partition(table, run, split)
    folder = Path(table.name)
    for key, value in (("run", run), ("split", split)):
        if key in table.partitions:
            if value is None:
                raise ArgumentError(f"the table {table.name!r} is kept by {key}; say which {key}")
            folder = folder / segment(key, value)
    return folder


def check_partition(table: TableSchema, run: object, split: object) -> None:
    """Raise when a run or split is named for a table that is not kept by it."""
    for key, other, value in (("run", "split", run), ("split", "run", split)):
        if value is not None and key not in table.partitions:
            raise ArgumentError(f"the table {table.name!r} is kept by {other}, not by {key}; leave {key}={value!r} out")


def part_file(part: str) -> str:
    """Give the file name of a part."""
    stem = part.removesuffix(".parquet")
    if not _PART.fullmatch(stem):
        raise ArgumentError(
            f"{part!r} cannot name a part; use letters, digits, '-' and '.', as in {part_name(0, 99)!r}"
        )
    return stem + ".parquet"


def segment(key: str, value: str) -> str:
    """Write a partition value as a folder name, percent-encoded as Hive readers expect."""
    if not isinstance(value, str):
        raise ArgumentError(f"the {key} must be a string, not {value!r}")
    if not value or "/" in value or value == _NULL:
        raise ArgumentError(f"{value!r} cannot name a {key}; use a non-empty name without '/'")
    try:
        name = f"{key}={quote(value, safe='')}"
    except UnicodeEncodeError as error:
        raise ArgumentError(f"{value!r} cannot name a {key}: it is not valid Unicode") from error
    if len(name) > _LONGEST_NAME:
        raise ArgumentError(f"the {key} name {value[:40]!r}… is too long for a folder; shorten it")
    return name


def segment_value(key: str, name: str) -> str | None:
    """Read a partition value from a folder name; None when the folder is not of this key."""
    prefix = f"{key}="
    return unquote(name[len(prefix) :]) if name.startswith(prefix) else None
