"""Recording a training by Lightning's Trainer."""

import os
from typing import Any

from lca_analysis.errors import ArgumentError, MissingDependencyError
from lca_analysis.recording.following import TrainingFollower
from lca_analysis.recording.recorder import Recorder

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as error:
    raise MissingDependencyError(
        "recording in Lightning needs the package lightning: pip install 'lca-analysis[lightning]'"
    ) from error


class LightningRecorder(Callback):
    """Records what Lightning's Trainer trains: one iteration per optimizer step.

    Give it to ``Trainer(callbacks=[...])``. Accumulated batches are one iteration; the GradScaler of ``16-mixed`` is
    followed; when training ends by an exception or an interrupt, the run is readable and marked as incomplete.
    Checkpoints keep the iteration, and with ``resume=True`` ``fit(..., ckpt_path=...)`` goes on with the run.

    Parameters
    ----------
    path : str or path-like
        Folder for the run.
    part : str
        Path of the submodule to record, such as ``"model"``; by default the whole LightningModule. The problem's
        model must have the same names.
    optimizer : int, optional
        Which of several optimizers is followed; what the others do is part of its steps.
    **arguments
        As for `Recorder`: problem, every, windows, error_fraction, preset, overwrite, resume, options.

    Raises
    ------
    ArgumentError
        When training begins: the folder is in use, there is no such part, or there are several optimizers and none is
        chosen.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, part: str = "", optimizer: int | None = None, **arguments: Any
    ) -> None:
        self._follower = TrainingFollower(path, part, arguments)
        self._number = optimizer
        self._iteration: int | None = None

    @property
    def recorder(self) -> Recorder | None:
        """The Recorder while training runs, for `Recorder.log`."""
        return self._follower.recorder

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start recording, at the iteration of the checkpoint if one was loaded."""
        iteration = trainer.global_step if self._iteration is None else self._iteration
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        self._follower.begin(pl_module, self._chosen(trainer.optimizers), scaler, iteration)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the run."""
        self._end(complete=True)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End the run as incomplete."""
        self._end(complete=False)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """End a run that no other hook has ended."""
        self._end(complete=False)

    def state_dict(self) -> dict[str, Any]:
        """Give what a checkpoint keeps, when the run holds all that the checkpoint does."""
        self._follower.flush()
        return {"iteration": self._iteration if self.recorder is None else self.recorder.iteration}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Read what a checkpoint has kept."""
        self._iteration = state_dict["iteration"]

    def _end(self, complete: bool) -> None:
        """Keep the iteration for checkpoints that are saved after the training, and end the run."""
        if self.recorder is not None:
            self._iteration = self.recorder.iteration
        self._follower.end(complete)

    def _chosen(self, optimizers: list[Any]) -> Any:
        """Give the optimizer to follow."""
        if self._number is None and len(optimizers) != 1:
            raise ArgumentError(
                f"the LightningModule has {len(optimizers)} optimizers: choose the one whose steps are the iterations, "
                "with optimizer=0, 1, …"
            )
        number = self._number or 0
        if not 0 <= number < len(optimizers):
            raise ArgumentError(f"there is no optimizer {number}: the LightningModule has {len(optimizers)}")
        return optimizers[number]
