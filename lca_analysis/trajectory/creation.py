"""The folder of a new run: what may be replaced by it, and what may not."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from lca_analysis.errors import ArgumentError, CorruptError, FormatError
from lca_analysis.trajectory.locking import LOCK_NAME, release
from lca_analysis.trajectory.manifest import MANIFEST_NAME, Manifest, decode_manifest, encode_manifest
from lca_analysis.trajectory.segments import SEGMENT_FOLDER


@contextmanager
def released_on_failure(lock: FileLock) -> Iterator[FileLock]:
    """Release a lock when what needs it fails."""
    try:
        yield lock
    except BaseException:
        release(lock)
        raise


def check_free(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that holds something, but for a run that may be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ArgumentError(f"{folder} is a file; name a folder for the run")
    if all(path.name == LOCK_NAME for path in folder.iterdir()):
        return
    if not (folder / MANIFEST_NAME).is_file():
        raise ArgumentError(f"{folder} is not empty and not a run; name an empty or a new folder")
    if not overwrite:
        raise ArgumentError(
            f"{folder} already holds a run; name another folder, or replace it (overwrite=True, --overwrite)"
        )
    _check_is_run(folder)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (NotADirectoryError, FileExistsError) as error:
        raise ArgumentError(f"{folder}: a folder above it is a file; name another folder for the run") from error


def clear(folder: Path) -> None:
    """Remove the run of a folder, if there is one."""
    shutil.rmtree(folder / SEGMENT_FOLDER, ignore_errors=True)
    (folder / MANIFEST_NAME).unlink(missing_ok=True)


def check_readable(manifest: Manifest) -> None:
    """Refuse a manifest that could be written but not read again, before anything depends on it."""
    try:
        decode_manifest(encode_manifest(manifest), MANIFEST_NAME)
    except (FormatError, TypeError) as error:
        raise ArgumentError(f"this run could not be read again: {error}") from error


def _check_is_run(folder: Path) -> None:
    """Refuse to replace what only looks like a run; a damaged one may be replaced."""
    path = folder / MANIFEST_NAME
    try:
        decode_manifest(path.read_bytes(), str(path))
    except CorruptError:
        return
    except FormatError as error:
        raise ArgumentError(f"{folder} is not a run that can be replaced ({error}); name another folder") from error
