"""Encoding and writing beside the training loop, in lots of points, within a fixed number of buffers."""

import atexit
import itertools
import queue
import threading
import warnings
from typing import NamedTuple

from lca_analysis.errors import LcaError
from lca_analysis.recording.buffers import PointBuffer
from lca_analysis.recording.copying import Copier
from lca_analysis.recording.hyperparameters import Groups, as_numbers
from lca_analysis.trajectory import PointWords, RunWriter

_LOOK = 1.0  # seconds after which a training that waits for a buffer looks whether the writer still lives
_GATHER = 0.05  # seconds that the first point of a lot waits for others


class Point(NamedTuple):
    """One point on its way to the disk, or the error that kept it from being copied."""

    iteration: int
    buffer: PointBuffer
    hyperparameters: Groups
    scalars: dict[str, float]
    error: LcaError | None = None


class BackgroundWriter:
    """Hands points to a RunWriter in a thread of its own.

    There are `points` buffers, each made when it is first needed: of the points in them, the thread encodes one, or as
    many as a quarter together, and the others wait. A training loop that is faster than the encoder waits for a buffer,
    so memory is bounded. When writing fails, the thread drops what follows, and the next call warns once, or raises
    with ``on_error="raise"``.

    The thread begins when half of the buffers are full, or a moment after the first, and hands several points at a time
    to compiled code: whenever it asks for the interpreter it takes it from the training.
    """

    def __init__(self, writer: RunWriter, copier: Copier, on_error: str, points: int) -> None:
        self._writer = writer
        self._copier = copier
        self._raise = on_error == "raise"
        self._unmade = points
        self._enough = points // 2
        self._lot = max(1, points // 4)
        self._free: queue.SimpleQueue[PointBuffer] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[Point | threading.Event | None] = queue.SimpleQueue()
        self._urgent = threading.Event()
        self._error: BaseException | None = None
        self._told = False
        self._groups: Groups | None = None  # of the last point
        self._thread = threading.Thread(target=self._work, name="lca-recorder", daemon=True)
        self._thread.start()
        atexit.register(self.close, complete=False)  # a loop without a with-block may end with the interpreter

    def buffer(self) -> PointBuffer | None:
        """Give memory for the next point, waiting while all of it is in use; None when writing has failed."""
        while not self._report():
            try:
                return self._free.get_nowait()
            except queue.Empty:
                pass
            if self._unmade:
                self._unmade -= 1
                return self._copier.new_buffer()
            self._urgent.set()
            try:
                return self._free.get(timeout=_LOOK)
            except queue.Empty:
                self._look_after_thread()
        return None

    def put(self, point: Point) -> None:
        """Queue a point in a buffer that was given."""
        self._ready.put(point)
        if self._ready.qsize() >= self._enough:
            self._urgent.set()

    def flush(self) -> None:
        """Wait until what is queued is written."""
        reached = threading.Event()
        self._ready.put(reached)
        self._urgent.set()
        while not self._report() and not reached.wait(_LOOK):
            self._look_after_thread()
        self._report()

    def close(self, complete: bool) -> None:
        """Write what is queued, and end the run."""
        atexit.unregister(self.close)
        self._ready.put(None)
        self._urgent.set()
        self._thread.join()
        if not self._ready.empty():
            self._look_after_thread()
        try:
            self._writer.close(complete and self._error is None)
        except OSError as error:
            self._error = self._error or error
        self._report()

    def _work(self) -> None:
        """Write points until None comes; after a failure only give buffers back, so that nobody waits."""
        while True:
            taken = self._next()
            points = [item for item in taken if isinstance(item, Point)]
            if points and self._error is None:
                self._write(points)
            for point in points:
                self._free.put(point.buffer)
            if isinstance(taken[-1], threading.Event):
                taken[-1].set()
            if taken[-1] is None:
                return

    def _next(self) -> list[Point | threading.Event | None]:
        """Take points that wait, with what ends them if something does; where nothing waits, let a lot gather first."""
        self._urgent.clear()
        waits = self._ready.empty()
        taken = [self._ready.get()]
        if waits:
            self._urgent.wait(_GATHER)
        while isinstance(taken[-1], Point) and len(taken) < self._lot and not self._ready.empty():
            taken.append(self._ready.get())
        return taken

    def _write(self, points: list[Point]) -> None:
        """Write points; a failure of any kind ends the recording, not the thread."""
        try:
            copied = [self._words(point) for point in itertools.takewhile(lambda point: point.error is None, points)]
            self._writer.append_points(copied)
            if len(copied) < len(points):
                self._error = points[len(copied)].error
        except BaseException as error:  # panics of compiled libraries are no Exceptions
            self._error = error

    def _words(self, point: Point) -> PointWords:
        """Wait for a point's copy; hyper-parameters that are the last point's own object need not be looked at."""
        point.buffer.wait()
        groups = None if point.hyperparameters is self._groups else as_numbers(point.hyperparameters)
        self._groups = point.hyperparameters
        return PointWords(point.iteration, point.buffer.words(self._writer.blocks), groups, point.scalars)

    def _look_after_thread(self) -> None:
        """Count a thread that is gone as a failure."""
        if not self._thread.is_alive():
            self._error = self._error or RuntimeError("the thread that writes has died")

    def _report(self) -> bool:
        """Whether writing has failed, said once."""
        if self._error is None:
            return False
        iteration = self._writer.iteration
        last = "before its first point" if iteration is None else f"after iteration {iteration}"
        message = f"recording stopped {last}: {self._error!r}; the run is readable up to there"
        if isinstance(self._error, OSError | LcaError):
            message = message.replace(repr(self._error), str(self._error))
        if self._raise:
            raise OSError(message) from self._error
        if not self._told:
            self._told = True
            warnings.warn(f"{message}, and training goes on", RuntimeWarning, stacklevel=6)
        return True
