"""One progress bar for all long work."""

from threading import RLock
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

if TYPE_CHECKING:
    _Bar = tqdm[Any]
else:

    class _Bar(tqdm):
        """A bar of this process alone."""

    # The lock of tqdm's own bars is one between processes; a worker that is ended would leave its semaphore behind.
    _Bar.set_lock(RLock())


def track(total: int, label: str, unit: str = "it", progress: bool | None = None, done: int = 0) -> "tqdm[Any]":
    """Open a progress bar with an estimate of the time left.

    Parameters
    ----------
    total : int
        Number of units of work.
    label : str
        What is being done.
    unit : str
        Name of one unit of work.
    progress : bool, optional
        True shows the bar, False hides it, None shows it on a terminal only.
    done : int
        Units that were done before; the estimate does not count them.

    Returns
    -------
    tqdm
        A context manager with ``update(n)``.
    """
    return _Bar(total=total, initial=done, desc=label, unit=unit, disable=None if progress is None else not progress)
