"""Reading the parts of a table into a frame."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lca_analysis.errors import ArgumentError, CorruptError, FormatError
from lca_analysis.store.schema import SCHEMA_VERSION, TableSchema, is_optional


@contextmanager
def readable(file: Path) -> Iterator[pq.ParquetFile]:
    """Open a part; damage becomes a CorruptError that names the file."""
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            yield opened
    except (FileNotFoundError, PermissionError):
        raise
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorruptError(f"{file} is damaged ({reason}); delete the file and compute or analyze again") from error


def read_part(file: Path, table: TableSchema, columns: list[str], condition: pc.Expression | None) -> pa.Table:
    """Read columns of a part, in their order, of the rows that meet a condition.

    Parameters
    ----------
    file : Path
        The part.
    table : TableSchema
        The table that it is of.
    columns : list of str
        Columns that are in the file.
    condition : pyarrow.compute.Expression, optional
        Which rows; None reads all.

    Returns
    -------
    pyarrow.Table
        The rows, in the order of the file.

    Raises
    ------
    CorruptError
        The file is damaged.
    FormatError
        The file is not of this table, or of a newer version.
    """
    with readable(file) as opened:
        _check_schema(file, table, opened.schema_arrow)
        if set(table.schema.names) - set(opened.schema_arrow.names):
            rows = _with_missing(opened.read(), table)
            return (rows if condition is None else rows.filter(condition)).select(columns)
        if condition is None:
            return opened.read(columns)
        return pq.read_table(
            file, columns=columns, filters=condition, partitioning=None, page_checksum_verification=True
        )


def _with_missing(rows: pa.Table, table: TableSchema) -> pa.Table:
    """Add the optional columns that a part of an earlier version does not have, as nulls."""
    for field in table.schema:
        if field.name not in rows.column_names and is_optional(field):
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows


def _check_schema(file: Path, table: TableSchema, found: pa.Schema) -> None:
    """Raise unless a file is of the table and of a version that this package reads."""
    metadata = found.metadata or {}
    version = metadata.get(b"schema_version", b"").decode()
    if metadata.get(b"table", b"").decode() != table.name or not version.isdigit():
        raise FormatError(f"{file} is not a part of the table {table.name!r}; move it out of the store")
    if int(version) > SCHEMA_VERSION:
        raise FormatError(
            f"{file} has schema version {version}; this package reads versions up to {SCHEMA_VERSION}: "
            "upgrade lca-analysis"
        )


def condition_of(table: TableSchema, filters: dict[str, Any]) -> pc.Expression | None:
    """Turn filters by column into one condition.

    Parameters
    ----------
    table : TableSchema
        The table.
    filters : dict
        Column to a value (equal), a collection (one of), a range (from start to before stop) or None (null).

    Returns
    -------
    pyarrow.compute.Expression or None
        The condition; None when there are no filters.

    Raises
    ------
    ArgumentError
        A column is unknown, or a value does not have its type.
    """
    condition = None
    for name, wanted in filters.items():
        if name not in table.schema.names:
            raise _unknown_columns(table, [name])
        term = _term(table.schema.field(name), wanted)
        condition = term if condition is None else condition & term
    return condition


def _term(field: pa.Field, wanted: Any) -> pc.Expression:
    """Turn one filter into a condition."""
    column = pc.field(field.name)
    try:
        if wanted is None:
            return column.is_null()
        if isinstance(wanted, range) and wanted.step == 1:
            return (column >= wanted.start) & (column < wanted.stop)
        if isinstance(wanted, (Collection, np.ndarray)) and not isinstance(wanted, str):
            return column.isin(pa.array(list(wanted), field.type))
        return column == pa.scalar(wanted, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ArgumentError(f"the filter {field.name}={wanted!r} does not fit a column of {field.type}") from error


def check_columns(table: TableSchema, columns: Sequence[str]) -> list[str]:
    """Return the columns as a list, or raise when one is unknown or named twice."""
    if isinstance(columns, str):
        raise ArgumentError(f"columns must be a list of names, not the string {columns!r}")
    unknown = [name for name in columns if name not in table.columns]
    if unknown:
        raise _unknown_columns(table, unknown)
    return list(dict.fromkeys(columns))


def _unknown_columns(table: TableSchema, unknown: list[str]) -> ArgumentError:
    """Name the columns that there are."""
    known = ", ".join(table.columns)
    return ArgumentError(f"the table {table.name!r} has no column(s) {', '.join(unknown)}; it has {known}")


def to_frame(rows: pa.Table) -> pd.DataFrame:
    """Turn rows into a frame; whole numbers that may be missing become Int64, so that they stay whole."""
    frame = rows.to_pandas()
    for field in rows.schema:
        if field.nullable and pa.types.is_integer(field.type):
            frame[field.name] = rows.column(field.name).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame
