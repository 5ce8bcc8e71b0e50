"""Writing files so that a reader sees the old one or the new one, and never half of either."""

import os
import uuid
from pathlib import Path

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
    temporary = file.with_name(f"_{file.stem}-{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as handle:
            handle.write(data)
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
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    repeated = [field.name for field in table.schema if field.name not in floats and not pa.types.is_list(field.type)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        version="2.6",
        data_page_version="1.0",
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=repeated,
        use_byte_stream_split=floats,
        write_statistics=True,
        write_page_checksum=True,
    )
    return bytes(sink.getvalue())
