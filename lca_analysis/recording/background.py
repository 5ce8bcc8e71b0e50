"""Encoding and writing beside the training loop, behind a bounded queue."""

import queue
import threading
import warnings
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lca_analysis.recording.hyperparameters import Groups
from lca_analysis.trajectory import RunWriter


@dataclass(frozen=True)
class Snapshot:
    """One point on its way to the disk."""

    iteration: int
    weights: dict[str, NDArray[Any]]
    hyperparameters: Groups
    scalars: dict[str, float]


class BackgroundWriter:
    """Hands points to a RunWriter in a thread of its own.

    The queue holds at most `depth` points; a training loop that is faster than the encoder waits, so memory is
    bounded by depth + 2 copies of the model. When writing fails, the thread drops what follows, and the next call
    warns once, or raises with ``on_error="raise"``.
    """

    def __init__(self, writer: RunWriter, on_error: str, depth: int) -> None:
        self._writer = writer
        self._raise = on_error == "raise"
        self._queue: queue.Queue[Snapshot | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._told = False
        self._iteration = -1
        self._thread = threading.Thread(target=self._work, name="lca-recorder", daemon=True)
        self._thread.start()

    @property
    def failed(self) -> bool:
        """Whether writing has failed; nothing is recorded after that."""
        return self._error is not None

    def put(self, point: Snapshot) -> None:
        """Queue a point, waiting while the queue is full."""
        if not self._report():
            self._queue.put(point)

    def close(self, complete: bool) -> None:
        """Write what is queued, and end the run."""
        self._queue.put(None)
        self._thread.join()
        try:
            self._writer.close(complete and not self.failed)
        except OSError as error:
            self._error = self._error or error
        self._report()

    def _work(self) -> None:
        """Write points until None comes; after a failure only empty the queue, so that nobody waits."""
        while (point := self._queue.get()) is not None:
            if self._error is not None:
                continue
            try:
                self._writer.append(point.iteration, point.weights, point.hyperparameters, point.scalars)
                self._iteration = point.iteration
            except Exception as error:
                self._error = error

    def _report(self) -> bool:
        """Whether writing has failed, said once."""
        if self._error is None:
            return False
        message = f"recording stopped after iteration {self._iteration}: {self._error}; the run is readable up to there"
        if self._raise:
            raise OSError(message) from self._error
        if not self._told:
            self._told = True
            warnings.warn(f"{message}, and training goes on", RuntimeWarning, stacklevel=5)
        return True
