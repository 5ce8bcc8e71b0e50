"""Files that a reader sees old or new, and never half of either; below all rooms."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


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
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
