"""The errors that the package raises for its users, each with the exit code of the command line.

Every message says what is wrong, where, and what to do; the command line prints it as one line.
"""

import errno
import os


class LcaError(Exception):
    """Base of every error that the package raises on purpose.

    Attributes
    ----------
    exit_code : int
        What the ``lca`` command exits with when this error ends it.
    """

    exit_code = 1


class NotFoundError(LcaError):
    """A folder, file, table, run, split or layer that was asked for is not there."""

    exit_code = 3


class FormatError(LcaError):
    """What is there is not a run or a store, or is one that this version does not read."""

    exit_code = 4


class CorruptError(FormatError):
    """A run or a store is damaged; the message names the file and the iteration."""

    exit_code = 5


class MismatchError(LcaError):
    """The problem, the model, the data or the settings are not those of the run or the store."""

    exit_code = 6


class NumericalError(LcaError):
    """The numbers do not allow the result: a loss or a gradient that is not finite, no iterations."""

    exit_code = 7


class MissingDependencyError(LcaError):
    """An optional package is needed and not installed; the message names the extra to install."""

    exit_code = 8


class ArgumentError(LcaError, ValueError):
    """An argument has a value that cannot be used."""

    exit_code = 2


_BUG_EXIT_CODE, _DISK_EXIT_CODE = 1, 9
_ADVICE = {
    errno.EACCES: "get permission to read and write there, or name another place",
    errno.EPERM: "get permission to read and write there, or name another place",
    errno.EROFS: "name a place that can be written to",
    errno.ENOTDIR: "a file stands where a folder is needed; name another place",
    errno.EEXIST: "something stands in the way; name another place",
    errno.ENOENT: "it, or the folder that it is in, is not there and cannot be made; name another place",
    errno.EISDIR: "a folder stands where a file is needed; move it away",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ENOSPC: "make room, and run the same command again",
    errno.EDQUOT: "make room, and run the same command again",
}
"""What to do about the errors of the disk that people meet."""


def explain(error: Exception) -> tuple[str, int]:
    """Give what went wrong in one line, and the documented exit code.

    Parameters
    ----------
    error : Exception
        An `LcaError`; an OSError, which is the disk's; or anything else, which is a bug.

    Returns
    -------
    reason : str
        One line.
    code : int
        The exit code of a command that ends by it.
    """
    reason = " ".join(str(error).split())
    if isinstance(error, LcaError):
        return reason, error.exit_code
    if isinstance(error, OSError):
        return _of_disk(error) or reason, _DISK_EXIT_CODE
    return f"unexpected {type(error).__name__}: {reason}", _BUG_EXIT_CODE


def _of_disk(error: OSError) -> str | None:
    """Say where the disk refused, why, and what to do; None where it is not known."""
    if error.errno not in _ADVICE:
        return None
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | os.PathLike) else ""
    return f"{where}{os.strerror(error.errno)}; {_ADVICE[error.errno]}"
