"""The store: opening, writing parts, reading tables."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from lca_analysis.disk import make_folders, write_atomic
from lca_analysis.errors import ArgumentError
from lca_analysis.store.catalog import Names, check_known, choose, names_of, partitions, tables_of
from lca_analysis.store.conform import Data, conform
from lca_analysis.store.files import growing_parquet, parquet_bytes
from lca_analysis.store.folders import parquet_files, subfolders
from lca_analysis.store.layout import part_file, partition_folder, segment
from lca_analysis.store.marker import check_marker, create_marker, has_marker
from lca_analysis.store.reading import check_columns, condition_of, read_part, to_frame
from lca_analysis.store.schema import TableSchema
from lca_analysis.store.schemas import TABLES, schema_of

_WORK = "_work"


def open_store(path: str | os.PathLike[str], create: bool = False) -> "Store":
    """Open a store.

    Parameters
    ----------
    path : str or path-like
        Its folder, on a local disk.
    create : bool
        Make a store when the folder is missing or empty.

    Returns
    -------
    Store
        The store.

    Raises
    ------
    NotFoundError
        The folder is missing or empty, and `create` is false.
    FormatError
        The folder is not a store, or one of a newer format.
    CorruptError
        Its store.json is damaged.
    """
    if "://" in os.fspath(path):
        raise ArgumentError(f"{os.fspath(path)!r} is a URL; a store is a folder on a local disk")
    folder = Path(path)
    if create and not has_marker(folder) and (folder.is_dir() or not folder.exists()):
        create_marker(folder)
    check_marker(folder)
    return Store(folder)


class Store:
    """Tables of LCA, kept as Parquet files by run and split; open one with `open_store`.

    Writers of different parts may work at the same time, in threads, in processes, or on several machines.

    Attributes
    ----------
    path : Path
        Folder of the store.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        """Show the folder."""
        return f"Store({str(self.path)!r})"

    def write_part(
        self, name: str, data: Data, run: str | None = None, split: str | None = None, part: str = "part"
    ) -> Path:
        """Write a part of a table, in place of an earlier one of the same name.

        The part appears whole or not at all, and is on the disk when this returns.
        The same data gives the same bytes.

        Parameters
        ----------
        name : str
            Name of the table.
        data : mapping of arrays, DataFrame or pyarrow.Table
            The columns, all of one length; a single value stands for a column of it. NaN is stored as null.
            Columns marked optional in the schema may be left out.
        run, split : str, optional
            Names of the run and of the split, for tables that are kept by them.
        part : str
            Name of the part; for one of many see `part_name`.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        NotFoundError
            There is no table of this name.
        ArgumentError
            The data does not fit the table's schema, or a name cannot be used.
        """
        table = schema_of(name)
        file = self._file(table, run, split, part)
        partition = {key: value for key, value in (("run", run), ("split", split)) if value is not None}
        encoded = parquet_bytes(conform(table, data, partition))
        make_folders(file.parent, self.path)
        write_atomic(file, encoded)
        return file

    @contextmanager
    def growing_part(self, name: str, run: str, split: str, part: str = "part") -> Iterator[Callable[[Data], None]]:
        """Write a part piece by piece, in bounded memory; see `write_part`.

        It appears when the block ends without an exception. The pieces must come in the order of the sort keys.

        Parameters
        ----------
        name, run, split, part : str
            Table, run, split and part.

        Yields
        ------
        callable
            Takes the columns of the next rows.
        """
        table = schema_of(name)
        file, partition = self._file(table, run, split, part), {"run": run, "split": split}
        make_folders(file.parent, self.path)
        with growing_parquet(file, table.schema) as write:
            yield lambda data: write(conform(table, data, partition))

    def table(
        self,
        name: str,
        run: Names = None,
        split: Names = None,
        columns: Sequence[str] | None = None,
        **filters: Any,
    ) -> pd.DataFrame:
        """Read a table.

        Parameters
        ----------
        name : str
            Name of the table.
        run, split : str or sequence of str, optional
            Which runs and splits; None reads all.
        columns : sequence of str, optional
            Which columns, in this order; None reads run, split and all others.
        **filters
            A column to a value (equal), a collection (one of), a range (from start to before stop) or
            None (null); the column ``class`` is named ``class_`` here.

        Returns
        -------
        DataFrame
            The rows, by run, split and part, each in the order of the table's sort keys.
            Run and split are strings. Missing numbers are NaN, missing whole numbers NA.

        Raises
        ------
        NotFoundError
            There is no such table, run or split; the message names those that there are.
        ArgumentError
            A column is unknown, or a filter does not have its type.
        CorruptError
            A file is damaged; the message names it.
        FormatError
            A file was written by a newer version, or is not of this table.
        """
        table = schema_of(name)
        wanted = table.columns if columns is None else check_columns(table, columns)
        stored = [column for column in wanted if column not in table.partitions]
        condition = condition_of(table, {key.removesuffix("_"): value for key, value in filters.items()})
        rows = [
            _with_partition(read_part(file, table, stored, condition), values, wanted)
            for values, folder in choose(self.path, table, run, split)
            for file in parquet_files(folder)
        ]
        return to_frame(pa.concat_tables(rows, promote_options="permissive"))

    def runs(self) -> list[str]:
        """List the names of the runs that have any table."""
        return names_of(self.path, "run")

    def splits(self, run: str | None = None) -> list[str]:
        """List the splits of a run, or of all runs.

        Parameters
        ----------
        run : str, optional
            Name of the run.

        Returns
        -------
        list of str
            The splits that have any table.

        Raises
        ------
        NotFoundError
            There is no such run.
        """
        if run is not None:
            check_known(self.path, "run", [run])
        return names_of(self.path, "split", run)

    def tables(self, run: str | None = None, split: str | None = None) -> list[str]:
        """List the tables that are present.

        Parameters
        ----------
        run, split : str, optional
            Only those of this run, and of this split.

        Returns
        -------
        list of str
            Their names, in the order of `TABLES`.
        """
        return tables_of(self.path, run, split)

    def parts(self, name: str, run: str | None = None, split: str | None = None) -> list[str]:
        """List the parts of a table.

        Parameters
        ----------
        name : str
            Name of the table.
        run, split : str, optional
            Names of the run and of the split, for tables that are kept by them.

        Returns
        -------
        list of str
            Names of the parts, in their order; empty when there are none.
        """
        folder = self.path / partition_folder(schema_of(name), run, split)
        return [file.stem for file in parquet_files(folder)]

    def has_part(self, name: str, run: str | None = None, split: str | None = None, part: str = "part") -> bool:
        """Whether a part has been written; see `write_part` for the parameters."""
        return self._file(schema_of(name), run, split, part).is_file()

    def files(self, name: str) -> list[tuple[dict[str, str], Path]]:
        """List the files of a table.

        Parameters
        ----------
        name : str
            Name of the table.

        Returns
        -------
        list of (dict, Path)
            The partition's values (``run`` and ``split``, where the table has them) and the file, in order.
        """
        found = partitions(self.path, schema_of(name))
        return [(values, file) for values, folder in found for file in parquet_files(folder)]

    def remove(self, run: str, split: str | None = None, tables: Iterable[str] | None = None) -> int:
        """Delete the tables of a run; those that say how it was computed go last, those over several runs stay.

        Parameters
        ----------
        run : str
            Name of the run.
        split : str, optional
            Only what is of this split; None deletes all.
        tables : iterable of str, optional
            Only these tables; None deletes all, and the working files.

        Returns
        -------
        int
            How many parts were deleted; 0 when there were none.
        """
        names = list(TABLES) if tables is None else list(tables)
        own = [table for table in map(schema_of, names) if table.has_run]
        chosen = sorted(own, key=lambda table: list(TABLES).index(table.name), reverse=True)
        if tables is None:
            _remove_folder(self._work_folder(run, split))
        return sum(self._remove_table(table, run, split) for table in chosen)

    def work(self, run: str, split: str | None = None) -> Path:
        """Make and return the folder for working files of a run, which readers of the tables do not see.

        Parameters
        ----------
        run : str
            Name of the run.
        split : str, optional
            Name of the split.

        Returns
        -------
        Path
            The folder; `remove` deletes it with the run or split.
        """
        folder = self._work_folder(run, split)
        make_folders(folder, self.path)
        return folder

    def _work_folder(self, run: str, split: str | None) -> Path:
        """Give the folder of working files."""
        folder = self.path / _WORK / segment("run", run)
        return folder if split is None else folder / segment("split", split)

    def _file(self, table: TableSchema, run: str | None, split: str | None, part: str) -> Path:
        """Give the file of a part."""
        return self.path / partition_folder(table, run, split) / part_file(part)

    def _remove_table(self, table: TableSchema, run: str, split: str | None) -> int:
        """Delete one table's parts of a run or split, and count them."""
        folder = self.path / table.name / segment("run", run)
        if split is not None:
            folder = folder / segment("split", split)
        count = sum(len(parquet_files(inner)) for inner in (folder, *subfolders(folder)))
        _remove_folder(folder)
        return count


def _remove_folder(folder: Path) -> None:
    """Delete a folder if it is there; those above it stay, since others may be writing into them."""
    if folder.is_dir():
        shutil.rmtree(folder)


def _with_partition(rows: pa.Table, values: dict[str, str], columns: list[str]) -> pa.Table:
    """Add run and split to the rows, in the wanted order of columns."""
    for key, value in values.items():
        if key in columns:
            rows = rows.append_column(key, pa.repeat(pa.scalar(value), rows.num_rows))
    return rows.select(columns)
