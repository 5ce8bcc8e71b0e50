"""The Recorder: observes a training loop and writes a run."""

import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import torch
from torch import nn

from lca_analysis.errors import ArgumentError, MismatchError
from lca_analysis.recording.arguments import check_parts
from lca_analysis.recording.background import BackgroundWriter, Point
from lca_analysis.recording.copying import Copier
from lca_analysis.recording.description import HasReference, RecorderOptions, make_manifest, problem_reference
from lca_analysis.recording.hyperparameters import Groups, HyperparameterReader, Memberships, unwrap_optimizer
from lca_analysis.recording.nesting import NestedCalls
from lca_analysis.recording.policy import is_due, make_policy, whole
from lca_analysis.recording.resuming import holds_run, resume_run
from lca_analysis.recording.scaling import ScalerWatch
from lca_analysis.recording.slots import TensorSlots
from lca_analysis.recording.tensors import unwrap
from lca_analysis.trajectory import ProblemReference, RunWriter

SKIPPED = "skipped"  # the number logged with a point whose step was not made


class Recorder:
    """Records a training run: the weights at the start, and after every optimizer step.

    Use it as a context manager around the loop. It reads the weights after each ``optimizer.step()`` by itself,
    copies them, and encodes and writes in a background thread; it changes neither weights, optimizer nor random
    numbers. When the block ends by an exception, the run is readable and marked as incomplete. In a distributed
    training the process of rank 0 writes, and the recorders of the others do nothing.

    Parameters
    ----------
    path : str or path-like
        Folder for the run; new or empty, unless `overwrite` or `resume` is set.
    model : torch.nn.Module
        The model in training. Compiled and data-parallel models are recorded under the names of the model inside.
    optimizer : torch.optim.Optimizer, optional
        Its steps are followed; without one, call `record` after each update.
    problem : str, ProblemReference or built Problem, optional
        What the run is trained on. A Problem built by `build_problem` also brings the fingerprints of its data, so
        that a later computation on other data is refused; one made directly brings nothing.
    every : int
        Record every k-th step.
    windows : sequence of (int, int)
        Record only the iterations from first to last, both included, of each window; none means all. What happens
        between two windows is one long step for all that reads the run.
    scaler : torch.amp.GradScaler, optional
        Counts the steps that it skips, as steps of length zero.
    error_fraction : float
        0 records to the bit. Above 0, up to 1, no weight is recorded with an error of more than this fraction of its
        own running mean step: the run is smaller, and says of itself that it is lossy.
    preset : str
        "small" for the smallest run, "fast" for the least work.
    overwrite : bool
        Replace an earlier run in this folder.
    resume : bool
        Go on with the run in this folder, as a training does that was stopped and reads its checkpoint. The model must
        hold the weights of the run at that iteration, to the bit, when recording starts. Where there is no run, a new
        one starts, so that a script needs no branch. A run that goes on keeps its name, seeds, tags and versions.
    iteration : int, optional
        How many steps the model has behind it when recording starts: with `resume`, what the run holds of later ones
        is dropped, since the checkpoint is older. By default 0, and with `resume` the run's last recorded iteration.
    options : RecorderOptions, optional
        What is rarely set.

    Raises
    ------
    ArgumentError
        The folder is in use, or an argument cannot be used.
    MismatchError
        The run to go on with is of another training, or the weights are not those that it holds.

    Warns
    -----
    UserWarning
        The run to go on with has no point at this iteration, or none that is exact, to compare the weights with.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        problem: str | ProblemReference | HasReference | None = None,
        every: int = 1,
        windows: Sequence[tuple[int, int]] = (),
        scaler: Any = None,
        error_fraction: float = 0.0,
        preset: str = "small",
        overwrite: bool = False,
        resume: bool = False,
        iteration: int | None = None,
        options: RecorderOptions | None = None,
    ) -> None:
        self.path = path
        check_parts(model, optimizer, scaler)
        self._model = unwrap(model)
        self._optimizer = unwrap_optimizer(optimizer)
        self._hyperparameters = None if self._optimizer is None else HyperparameterReader(self._optimizer)
        self._scaler = scaler
        self._options = options or RecorderOptions()
        self._options.check()
        if scaler is not None and optimizer is None:
            raise ArgumentError("a scaler is followed together with the optimizer whose steps it makes: pass both")
        self._first = _checked_start(overwrite, resume, iteration)
        policy = make_policy(every, windows, error_fraction, preset, self._options.segment_length)
        self._manifest = make_manifest(self._model, self._optimizer, problem_reference(problem), policy, self._options)
        self._overwrite = overwrite
        self._resume = resume
        self._recording = self._started = False
        self._writer: BackgroundWriter | None = None
        self._hooks: list[Any] = []
        self._steps = NestedCalls()
        self._iteration = 0
        self._groups: Groups = []
        self._scalars: dict[str, float] = {}

    @property
    def iteration(self) -> int:
        """How many steps have been made, those before a resumed recording included."""
        return self._iteration

    @property
    def run_id(self) -> str:
        """Of the run's manifest, once recording has started."""
        return self._manifest.run_id

    def start(self) -> "Recorder":
        """Make or open the folder, record the weights as they are, and follow the optimizer; `with` calls it."""
        if self._recording:
            raise ArgumentError(f"the Recorder of {self.path} is already recording")
        self._iteration = self._first or 0
        last = self._open() if _is_writing_process() else None
        self._recording = self._started = True
        self._read_groups()
        if last != self._iteration:
            self._put()
        if self._optimizer is not None:
            self._hooks = [
                self._optimizer.register_step_pre_hook(self._before_step),
                self._optimizer.register_step_post_hook(self._after_step),
            ]
            if self._scaler is not None:
                self._hooks.append(ScalerWatch(self._scaler, self._optimizer, lambda: self._iteration, self.skip))
        return self

    def log(self, **scalars: float) -> None:
        """Keep numbers with the next recorded point; the latest value of a name counts.

        Parameters
        ----------
        **scalars : float
            For example ``loss=loss.item()``.
        """
        self._check_started()
        self._scalars |= {name: float(value) for name, value in scalars.items()}

    def record(self) -> None:
        """Count one update, and record it if it is its turn; the optimizer's own steps call it themselves."""
        if not self._recording:
            raise ArgumentError(f"the Recorder of {self.path} is not recording: use it in a with-block")
        self._iteration += 1
        self._put()

    def skip(self) -> None:
        """Count one update that was not made: a step of length zero, with the number ``skipped`` logged as 1.

        With ``scaler=`` it is called by itself.
        """
        self.log(**{SKIPPED: 1.0})
        self._read_groups()
        self.record()

    def flush(self) -> None:
        """Wait until all points up to now are written; then a checkpoint that is saved next has its point in the run.

        A process that is killed loses what waits for the encoder, but nothing that was flushed.
        """
        self._check_started()
        if self._writer is not None:
            self._writer.flush()

    def close(self, complete: bool = True) -> None:
        """Write what is under way and end the run; leaving the with-block calls it.

        Parameters
        ----------
        complete : bool
            Mark the run as complete.
        """
        self._check_started()
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self._recording = False
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close(complete)

    def __enter__(self) -> "Recorder":
        """Start recording."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop recording; the run counts as complete when no exception ended the block."""
        self.close(complete=kind is None)

    def _check_started(self) -> None:
        """Raise for a Recorder that was only made: it follows nothing, and its training would be lost unseen."""
        if not self._started:
            raise ArgumentError(f"the Recorder of {self.path} was never started: use it in a with-block, or call start")

    def _open(self) -> int | None:
        """Make or open the folder, and all that points go through; gives the last iteration that it holds."""
        names = [tensor.name for tensor in self._manifest.tensors]
        tensors = TensorSlots(self._model, names).tensors()
        if self._resume and holds_run(self.path):
            named = dict(zip(names, tensors, strict=True))
            writer, self._iteration = resume_run(self.path, self._manifest, named, self._first)
        else:
            writer = RunWriter.create(self.path, self._manifest, self._overwrite)
        self._manifest = writer.manifest
        self._slots = TensorSlots(self._model, [tensor.name for tensor in self._manifest.tensors])
        self._memberships = Memberships(self._model)
        if self._optimizer is not None:
            self._memberships.say_foreign(self._optimizer)
        self._copier = Copier([tensor.name for tensor in self._manifest.tensors], self._slots.tensors())
        points = self._options.points_in_memory(self._copier.point_bytes)
        self._writer = BackgroundWriter(writer, self._copier, self._options.on_error, points)
        return writer.iteration

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        """Read the hyper-parameters that the step is about to use."""
        self._steps.enter()
        self._read_groups()

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        """Record what the step has done, once even where it calls the step of its parent class."""
        if self._steps.leave():
            self.record()

    def _read_groups(self) -> None:
        """Read the hyper-parameters; groups that the manifest does not know name their tensors."""
        if self._writer is None or self._optimizer is None or self._hyperparameters is None:
            return
        before, self._groups = self._groups, self._hyperparameters.read()
        if self._groups is before:
            return
        for number in range(len(self._manifest.optimizer.members), len(self._groups)):
            group = self._optimizer.param_groups[number]
            self._groups[number]["members"] = self._memberships.of(group)
            if number >= len(before):
                self._memberships.say_unrecorded(group, number, self._iteration)

    def _put(self) -> None:
        """Copy the weights and hand them to the writer, if it is their turn."""
        if self._writer is None or not is_due(self._manifest.recording, self._iteration):
            return
        buffer = self._writer.buffer()
        if buffer is None:
            return
        error: MismatchError | None = None
        try:
            self._copier.copy(self._slots.tensors(), buffer)
        except MismatchError as caught:
            error = MismatchError(f"iteration {self._iteration}: {caught}")
        self._writer.put(Point(self._iteration, buffer, self._groups, self._scalars, error))
        self._scalars = {}


def _is_writing_process() -> bool:
    """Whether this process writes: the only one, or rank 0 of a distributed training."""
    distributed = torch.distributed
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0


def _checked_start(overwrite: bool, resume: bool, iteration: int | None) -> int | None:
    """Check where recording starts."""
    if overwrite and resume:
        raise ArgumentError("overwrite=True replaces the run that resume=True would go on with: choose one")
    if iteration is None:
        distributed = torch.distributed
        if resume and distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
            raise ArgumentError("resume=True in several processes needs iteration=: only the first one reads the run")
        return None
    if whole("iteration", iteration) < 0:
        raise ArgumentError(f"iteration must be 0 or more, not {iteration}")
    return whole("iteration", iteration)
