"""Worker processes that end with their parent, and leave Ctrl-C to it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait


@contextmanager
def worker_pool(workers: int, initializer: Callable[[], None]) -> Iterator[ProcessPoolExecutor]:
    """Give worker processes; an error, or an interruption, ends them and what they do.

    Parameters
    ----------
    workers : int
        How many.
    initializer : callable
        Called first in each of them; it should call `start_worker`.

    Yields
    ------
    ProcessPoolExecutor
        Submit to it within `ctrl_c_off`, since that starts processes.
    """
    others = set(active_children())
    # spawn: a forked process would inherit the parent's torch threads in an unknown state.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=initializer) as pool:
        try:
            yield pool
        except BaseException:
            # What is stored appears whole or not at all, so a worker can be ended at any moment; to cancel futures
            # instead would leave what is under way running.
            for worker in set(active_children()) - others:
                worker.terminate()
            raise


@contextmanager
def ctrl_c_off() -> Iterator[None]:
    """Ignore Ctrl-C while processes are started, which inherit it: the parent alone takes it, and ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def start_worker() -> None:
    """Prepare a worker process: deaf to Ctrl-C, and ended by the death of its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent is gone: nobody would take its results."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
