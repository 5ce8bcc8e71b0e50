"""Recording a training by Hugging Face's Trainer."""

import os
from types import TracebackType
from typing import Any

from lca_analysis.errors import MissingDependencyError
from lca_analysis.recording.following import TrainingFollower
from lca_analysis.recording.recorder import Recorder

try:
    import accelerate  # noqa: F401  (the Trainer cannot do without it)
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ImportError as error:
    raise MissingDependencyError(
        "recording in Hugging Face's Trainer needs the packages transformers and accelerate: "
        "pip install 'lca-analysis[transformers]'"
    ) from error


class HuggingFaceRecorder(TrainerCallback):
    """Records what Hugging Face's Trainer trains: one iteration per optimizer step.

    Give it to ``Trainer(callbacks=[...])``, and call ``trainer.train()`` inside ``with`` it: the Trainer tells its
    callbacks of no exception, and the end of the block closes the run, as incomplete. Accumulated batches are one
    iteration; a GradScaler is followed. With ``resume=True``, ``train(resume_from_checkpoint=...)`` goes on with the
    run.

    Parameters
    ----------
    path : str or path-like
        Folder for the run.
    part : str
        Path of the submodule to record; by default the whole model. The problem's model must have the same names.
    **arguments
        As for `Recorder`: problem, every, windows, error_fraction, preset, overwrite, resume, options.

    Raises
    ------
    ArgumentError
        When training begins: the folder is in use, or there is no such part.
    """

    def __init__(self, path: str | os.PathLike[str], *, part: str = "", **arguments: Any) -> None:
        self._follower = TrainingFollower(path, part, arguments)

    @property
    def recorder(self) -> Recorder | None:
        """The Recorder while training runs, for `Recorder.log`."""
        return self._follower.recorder

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start recording, at the iteration of the checkpoint if one was loaded."""
        optimizer = kwargs["optimizer"]
        scaler = getattr(optimizer, "scaler", None)
        self._follower.begin(kwargs["model"], optimizer, scaler, state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Let the run hold what a checkpoint after this step holds."""
        if control.should_save:
            self._follower.flush()

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Let the run hold what a checkpoint after this epoch holds."""
        if control.should_save:
            self._follower.flush()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """End the run."""
        self._follower.end(complete=True)

    def __enter__(self) -> "HuggingFaceRecorder":
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End a run whose training has not come to its end."""
        self._follower.end(complete=False)
