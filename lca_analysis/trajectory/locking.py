"""One writer at a time for a run folder; the operating system lifts the lock when the process dies."""

from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lca_analysis.errors import ArgumentError

LOCK_NAME = ".lock"


def lock_folder(folder: Path) -> FileLock:
    """Lock a folder for writing, in this process and against others; give the lock, to be released.

    Raises
    ------
    ArgumentError
        Another writer has it.
    """
    lock = FileLock(folder / LOCK_NAME, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise ArgumentError(
            f"{folder} is being written by another recorder, here or in another process; wait until it ends, or name "
            "another folder"
        ) from error
    return lock


def release(lock: FileLock) -> None:
    """Let others write, and leave no file behind; who opened it meanwhile sees that it is gone, and makes a new one."""
    with suppress(OSError):
        Path(lock.lock_file).unlink()
    lock.release()


def local_folder(path: object) -> Path:
    """Give the folder to write to; ArgumentError for a URL, since only local folders are written, and for none."""
    if not str(path):
        raise ArgumentError("the path of the run is empty; name a folder for the run")
    if "://" in str(path):
        raise ArgumentError(f"{path}: runs are written to local folders; record there, and copy the folder afterwards")
    return Path(str(path))
