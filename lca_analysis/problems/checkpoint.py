"""The checkpoint beside a run in training, from which a stopped training goes on."""

import os
import time
from pathlib import Path
from typing import Any

import torch

from lca_analysis.errors import CorruptError, MismatchError
from lca_analysis.problems.loop import TrainingLoop
from lca_analysis.problems.problem import Problem
from lca_analysis.recording import Recorder
from lca_analysis.trajectory import Run

NAME = "training.pt"
SECONDS = 10.0  # between two checkpoints: what a stopped training repeats at the most


class Checkpoints:
    """Writes the state of a training beside its run every few seconds, and removes it when the training is done.

    Parameters
    ----------
    path : str or path-like
        Folder of the run.
    seconds : float
        Between two checkpoints.
    """

    def __init__(self, path: str | os.PathLike[str], seconds: float = SECONDS) -> None:
        self._file = Path(path) / NAME
        self._seconds = seconds
        self._last = time.monotonic()

    def save_if_due(self, loop: TrainingLoop, recorder: Recorder) -> None:
        """Save a checkpoint when the last one is old, after all points before it are written."""
        if time.monotonic() - self._last < self._seconds:
            return
        recorder.flush()
        fresh = self._file.with_suffix(".tmp")
        torch.save({"run_id": recorder.run_id, **loop.state()}, fresh)
        fresh.replace(self._file)
        self._last = time.monotonic()

    def remove(self) -> None:
        """Remove the checkpoint."""
        self._file.unlink(missing_ok=True)


def load_checkpoint(run: Run) -> dict[str, Any] | None:
    """Read the checkpoint beside a run; None when there is none, or only one of an earlier run in that folder.

    Raises
    ------
    CorruptError
        The file is damaged, or is no checkpoint.
    """
    file = Path(run.path) / NAME
    if not file.exists():
        return None
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        return state if state["run_id"] == run.manifest.run_id else None
    except Exception as error:
        why = type(error).__name__
        raise CorruptError(f"{file} cannot be read ({why}): remove it to train from the start") from error


def check_same(run: Run, problem: Problem, settings: str) -> None:
    """Raise MismatchError unless a run is of this problem, trained with these settings, as the manifest holds them."""
    manifest = run.manifest
    settings_then = manifest.tags.get("settings")
    compared = (("other settings", settings_then, settings), ("another problem", manifest.problem, problem.reference))
    for what, then, now in compared:
        if then != now:
            raise MismatchError(
                f"{run.path} cannot go on with {what} than it began with: {then or 'none is recorded'}, now "
                f"{now or 'none'}; give the same, or train to another folder"
            )
