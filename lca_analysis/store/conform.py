"""Bringing a caller's data to a table's schema: names, lengths, types, order of rows."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lca_analysis.errors import ArgumentError
from lca_analysis.store.schema import TableSchema, is_optional

Data: TypeAlias = Mapping[str, Any] | pd.DataFrame | pa.Table


def conform(table: TableSchema, data: Data, partition: dict[str, str]) -> pa.Table:
    """Check data against a table and bring it to the table's types and order.

    Parameters
    ----------
    table : TableSchema
        The table.
    data : mapping of arrays, DataFrame or pyarrow.Table
        The columns. A single value stands for a column of it.
    partition : dict of str
        The run and split that the rows are of; where the data has these columns, they must agree.

    Returns
    -------
    pyarrow.Table
        The rows, sorted by the table's sort keys.

    Raises
    ------
    ArgumentError
        A column is missing, unknown, of the wrong length or type, or two rows have the same keys.
    """
    columns = _columns(data)
    _check_partition(table, columns, partition)
    _check_names(table, columns)
    length = _length(table, columns)
    given = {field.name: _raw_array(table, field, columns.get(field.name), length) for field in table.schema}
    arrays = [_array(table, field, given[field.name]) for field in table.schema]
    fields = [field.with_type(array.type) for field, array in zip(table.schema, arrays, strict=True)]
    rows = pa.table(arrays, schema=pa.schema(fields, metadata=table.schema.metadata))
    return _sorted(table, rows, [_ranks(given[name]) for name in table.sort_keys])


def _columns(data: Data) -> dict[str, Any]:
    """Take data apart into columns."""
    if isinstance(data, pa.Table):
        return {name: data.column(name).combine_chunks() for name in data.column_names}
    if isinstance(data, pd.DataFrame):
        return {str(name): data[name].array for name in data.columns}
    return dict(data)


def _check_partition(table: TableSchema, columns: dict[str, Any], partition: dict[str, str]) -> None:
    """Take the partition's columns out, when they say the same as the partition."""
    for key in table.partitions:
        values = columns.pop(key, partition[key])
        found = [values] if isinstance(values, str) else list(pd.unique(pd.Series(values)))
        if any(value != partition[key] for value in found):
            listed = ", ".join(map(repr, found))
            raise ArgumentError(f"table {table.name!r}: the data is of {key} {listed}, not {partition[key]!r}")


def _check_names(table: TableSchema, columns: dict[str, Any]) -> None:
    """Raise when a column is missing or unknown."""
    missing = [field.name for field in table.schema if field.name not in columns and not is_optional(field)]
    if missing:
        raise ArgumentError(f"table {table.name!r}: the data lacks the column(s) {', '.join(missing)}")
    unknown = [name for name in columns if name not in table.schema.names]
    if unknown:
        raise ArgumentError(
            f"table {table.name!r} has no column(s) {', '.join(unknown)}; it has {', '.join(table.schema.names)}"
        )


def _is_single(value: Any) -> bool:
    """Whether a value stands for a whole column."""
    if isinstance(value, np.ndarray):
        return value.ndim == 0
    return value is None or isinstance(value, (str, bytes)) or not hasattr(value, "__len__")


def _length(table: TableSchema, columns: dict[str, Any]) -> int:
    """Give the number of rows; one where every column is a single value."""
    lengths = {name: len(value) for name, value in columns.items() if not _is_single(value)}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ArgumentError(f"table {table.name!r}: the columns have different lengths: {listed}")
    return next(iter(lengths.values()), 1)


def _array(table: TableSchema, field: pa.Field, given: pa.Array) -> pa.Array:
    """Bring one column to its type."""
    array = given.dictionary_decode() if pa.types.is_dictionary(given.type) else given
    kind = _target(table, field, array.type)
    if not _fits(array.type, kind):
        raise ArgumentError(f"table {table.name!r}, column {field.name!r}: it takes {kind}, not {array.type}")
    try:
        array = array.cast(kind)
    except pa.ArrowInvalid as error:
        raise ArgumentError(
            f"table {table.name!r}, column {field.name!r}: not all values are {kind}: {error}"
        ) from error
    if pa.types.is_floating(kind) and pc.any(missing := pc.is_nan(array)).as_py():
        array = pc.if_else(missing, pa.scalar(None, kind), array)
    if array.null_count and not field.nullable:
        raise ArgumentError(f"table {table.name!r}, column {field.name!r}: {array.null_count} value(s) are missing")
    return array


def _raw_array(table: TableSchema, field: pa.Field, value: Any, length: int) -> pa.Array:
    """Turn one column into an Arrow array of the type that it has; words that are repeated may stay codes."""
    if _is_single(value):
        one = _raw_array(table, field, [value.item() if isinstance(value, np.ndarray) else value], 1)
        is_word = pa.types.is_string(one.type)
        return pa.DictionaryArray.from_arrays(np.zeros(length, np.int32), one) if is_word else pa.repeat(one[0], length)
    if isinstance(value, pa.ChunkedArray):
        value = value.combine_chunks()
    if isinstance(value, pa.Array):
        return value
    try:
        array = pa.array(value, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise ArgumentError(f"table {table.name!r}, column {field.name!r}: it takes {field.type}: {error}") from error
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _target(table: TableSchema, field: pa.Field, found: pa.DataType) -> pa.DataType:
    """Give the type of the stored column, which for some follows the data's width."""
    return found if field.name in table.either_width and pa.types.is_float64(found) else field.type


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of one type may be stored as another: numbers as numbers, text as text."""
    is_number = pa.types.is_integer(found) or pa.types.is_floating(found)
    if pa.types.is_null(found):
        return True
    if pa.types.is_integer(wanted) or pa.types.is_floating(wanted):
        return is_number
    if pa.types.is_string(wanted):
        return pa.types.is_string(found) or pa.types.is_large_string(found)
    if pa.types.is_list(wanted):
        is_list = pa.types.is_list(found) or pa.types.is_large_list(found) or pa.types.is_fixed_size_list(found)
        return is_list and _fits(found.value_type, wanted.value_type)
    return bool(found == wanted)


def _sorted(table: TableSchema, rows: pa.Table, keys: list[np.ndarray[Any, Any]]) -> pa.Table:
    """Order the rows by the sort keys, of which the ranks are given, and refuse two with the same keys."""
    ordered, same = _compare_neighbours(keys)
    if not ordered.all():
        order = np.lexsort(keys[::-1])
        keys, rows = [key[order] for key in keys], rows.take(pa.array(order))
        same = _compare_neighbours(keys)[1]
    if table.unique and same.any():
        _refuse_twins(table, rows, int(np.argmax(same)))
    return rows


def _compare_neighbours(keys: list[np.ndarray[Any, Any]]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Say for each row but the last whether it may stand before the next one, and whether their keys are the same."""
    below = np.zeros(max(len(keys[0]) - 1, 0), bool)
    same = np.ones_like(below)
    for key in keys:
        before, after = key[:-1], key[1:]
        below |= same & (before < after)
        same &= before == after
    return below | same, same


def _ranks(column: pa.Array) -> np.ndarray[Any, Any]:
    """Replace the values of a column by numbers that are ordered as they are, nulls first."""
    if pa.types.is_integer(column.type) and not column.null_count:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if pa.types.is_dictionary(column.type) and len(column.dictionary.unique()) < len(column.dictionary):
        column = column.dictionary_decode()
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    rank = np.empty(len(encoded.dictionary), np.int64)
    rank[pc.array_sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(rank))
    codes = encoded.indices.fill_null(-1).to_numpy()
    return np.append(rank, -1)[codes]


def _refuse_twins(table: TableSchema, rows: pa.Table, row: int) -> None:
    """Raise for two rows with the same keys."""
    keys = ", ".join(f"{name} {rows.column(name)[row].as_py()!r}" for name in table.sort_keys)
    raise ArgumentError(f"table {table.name!r}: two rows have the same keys ({keys}); a row may be written once")
