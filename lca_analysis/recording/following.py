"""What the callbacks for training frameworks share: a Recorder that begins and ends with the framework's training."""

import inspect
import os
from typing import Any

import torch
from torch import nn

from lca_analysis.errors import ArgumentError
from lca_analysis.recording.recorder import Recorder
from lca_analysis.recording.tensors import unwrap


class TrainingFollower:
    """Makes a Recorder when a framework's training begins, and closes it when that ends.

    Parameters
    ----------
    path : str or path-like
        Folder for the run.
    part : str
        Path of the submodule to record; "" for the whole model.
    arguments : dict
        Keyword arguments of `Recorder`.
    """

    def __init__(self, path: str | os.PathLike[str], part: str, arguments: dict[str, Any]) -> None:
        for name in ("model", "optimizer", "scaler", "iteration"):
            if name in arguments:
                raise ArgumentError(f"{name} comes from the framework's trainer: leave it out")
        inspect.signature(Recorder).bind_partial(path, **arguments)  # a misspelt name is an error now, not in training
        self._path = path
        self._part = part
        self._arguments = arguments
        self.recorder: Recorder | None = None

    def begin(self, model: nn.Module, optimizer: torch.optim.Optimizer, scaler: Any, iteration: int) -> None:
        """Start recording."""
        self.end(complete=False)
        part = _submodule(unwrap(model), self._part)
        recorder = Recorder(self._path, part, optimizer, scaler=scaler, iteration=iteration, **self._arguments)
        self.recorder = recorder.start()

    def end(self, complete: bool) -> None:
        """End the run, if it is still open."""
        recorder, self.recorder = self.recorder, None
        if recorder is not None:
            recorder.close(complete)

    def flush(self) -> None:
        """Let the run hold all points up to now, since a checkpoint is about to be saved."""
        if self.recorder is not None:
            self.recorder.flush()


def _submodule(model: nn.Module, path: str) -> nn.Module:
    """Find a part of a model by its path."""
    try:
        return model.get_submodule(path)
    except AttributeError as error:
        names = ", ".join(name for name, _ in model.named_children())
        raise ArgumentError(f"the model has no part {path!r}; its parts are: {names}") from error
