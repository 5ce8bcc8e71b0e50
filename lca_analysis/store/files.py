"""Writing files so that a reader sees the old one or the new one, and never half of either."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 1 << 20
_ZSTD_LEVEL = 6


def write_atomic(file: Path, data: bytes) -> None:
    """Put data in the file's place in one move, and on the disk before this returns.

    Parameters
    ----------
    file : Path
        Where; its folder exists.
    data : bytes
        What.
    """
    with appearing(file) as handle:
        handle.write(data)


@contextmanager
def growing_parquet(file: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Write a Parquet file row group by row group; it appears whole, at the end, or not at all.

    Parameters
    ----------
    file : Path
        Where; its folder exists.
    schema : pyarrow.Schema
        Of every table that is written.

    Yields
    ------
    callable
        Takes the next rows.
    """
    with appearing(file) as handle, pq.ParquetWriter(handle, schema, **_options(schema)) as writer:
        yield lambda rows: writer.write_table(rows, ROW_GROUP)


@contextmanager
def appearing(file: Path) -> Iterator[BinaryIO]:
    """Open a file of another name, which takes the place of the given one when all went well.

    Parameters
    ----------
    file : Path
        Where; its folder exists.

    Yields
    ------
    BinaryIO
        To be written to. The file is on the disk when the block has ended; after an exception it is as it was.
    """
    temporary = file.with_name(f"_{file.stem}-{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(file.parent)


def make_folders(folder: Path, root: Path) -> None:
    """Make a folder below an existing root, each new entry on the disk before this returns."""
    missing = [part for part in (folder, *folder.parents) if part.is_relative_to(root) and not part.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    for part in reversed(missing):
        sync_folder(part.parent)


def sync_folder(folder: Path) -> None:
    """Bring the entries of a folder to the disk; systems that cannot open folders do it by themselves."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parquet_bytes(table: pa.Table) -> bytes:
    """Encode a table as a Parquet file; equal tables give equal bytes.

    Parameters
    ----------
    table : pyarrow.Table
        The rows, in the order of the file.

    Returns
    -------
    bytes
        The file. Only its ``created_by`` names the version of pyarrow.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=ROW_GROUP, **_options(table.schema))
    return bytes(sink.getvalue())


def _options(schema: pa.Schema) -> dict[str, Any]:
    """Say how the columns are encoded."""
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    repeated = [field.name for field in schema if field.name not in floats and not pa.types.is_list(field.type)]
    return {
        "version": "2.6",
        "data_page_version": "1.0",
        "compression": "zstd",
        "compression_level": _ZSTD_LEVEL,
        "use_dictionary": repeated,
        "use_byte_stream_split": floats,
        "write_statistics": True,
        "write_page_checksum": True,
    }
