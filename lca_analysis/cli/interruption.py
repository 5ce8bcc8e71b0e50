"""Ctrl-C: it is heard wherever it comes, and what is said of it is true."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

INTERRUPTED = 130
_SOON = 0.05  # seconds


def interrupted(run: str, kept: str, advice: str) -> int:
    """Say what is left of an interrupted recording, and give the exit code."""
    there = (Path(run) / "run.json").is_file()
    said = f"{run} holds {kept} up to here; {advice}" if there else "nothing was recorded yet"
    click.echo(f"interrupted: {said}", err=True)
    return INTERRUPTED


@contextmanager
def every_interruption_heard() -> Iterator[None]:
    """Interrupt again where Python drops a Ctrl-C, because it came in a callback of the interpreter's own.

    The import system has such callbacks, and the first seconds of a command are imports.
    """
    before = sys.unraisablehook

    def hook(dropped: "sys.UnraisableHookArgs") -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            again = threading.Timer(_SOON, _interrupt)
            again.daemon = True
            again.start()
        else:
            before(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def _interrupt() -> None:
    """Send Ctrl-C's signal to the main thread, which wakes it where it waits."""
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)
