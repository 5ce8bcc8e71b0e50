"""What a table is: its columns with unit and meaning, its partitions, and the order of its rows."""

from dataclasses import dataclass

import pyarrow as pa

SCHEMA_VERSION = 1
"""Version of the tables' columns, kept in the metadata of every file and checked when it is read."""

RUN = ("run",)
RUN_SPLIT = ("run", "split")
SPLIT = ("split",)


def column(
    name: str,
    kind: pa.DataType,
    unit: str,
    description: str,
    *,
    nullable: bool = False,
    optional: bool = False,
) -> pa.Field:
    """Describe one column of a table.

    Parameters
    ----------
    name : str
        Name of the column.
    kind : pyarrow.DataType
        Type of its values.
    unit : str
        Unit of its values; "1" for plain numbers, "" for text.
    description : str
        What a value means.
    nullable : bool
        Whether values may be missing (null).
    optional : bool
        Whether a writer may leave the whole column out, which fills it with nulls; implies nullable.

    Returns
    -------
    pyarrow.Field
        The column, with ``unit``, ``description`` and ``optional`` in its metadata.
    """
    metadata = {"unit": unit, "description": description, "optional": "yes" if optional else "no"}
    return pa.field(name, kind, nullable or optional, metadata)


@dataclass(frozen=True)
class TableSchema:
    """One table of the store.

    Attributes
    ----------
    name : str
        Name of the table, and of its folder.
    description : str
        What a row is.
    schema : pyarrow.Schema
        The columns in a file, each with unit and description in its metadata.
    partitions : tuple of str
        Columns that are folders, not columns in a file: ``("run",)``, ``("run", "split")``, or ``("split",)`` for what
        is over several runs.
    sort_keys : tuple of str
        Columns by which the rows of a file are ordered, nulls first.
    written_by : str
        The command that writes the table.
    unique : bool
        Whether the sort keys tell any two rows of a partition apart.
    either_width : frozenset of str
        Declared float32 columns that are kept as float64 where the writer gives float64.
    """

    name: str
    description: str
    schema: pa.Schema
    partitions: tuple[str, ...]
    sort_keys: tuple[str, ...]
    written_by: str
    unique: bool = True
    either_width: frozenset[str] = frozenset()

    @property
    def columns(self) -> list[str]:
        """Names of all columns as they are read: the partitions, then those in the files."""
        return [*self.partitions, *self.schema.names]

    @property
    def has_run(self) -> bool:
        """Whether the table is kept run by run."""
        return "run" in self.partitions

    @property
    def has_split(self) -> bool:
        """Whether the table is kept split by split."""
        return "split" in self.partitions


def is_optional(field: pa.Field) -> bool:
    """Whether a writer may leave this column out."""
    return bool(field.metadata[b"optional"] == b"yes")


def file_schema(name: str, columns: list[pa.Field]) -> pa.Schema:
    """Join columns into the schema of a table's files.

    Parameters
    ----------
    name : str
        Name of the table.
    columns : list of pyarrow.Field
        Its columns.

    Returns
    -------
    pyarrow.Schema
        The schema, with ``table`` and ``schema_version`` in its metadata.
    """
    return pa.schema(columns, metadata={"table": name, "schema_version": str(SCHEMA_VERSION)})
