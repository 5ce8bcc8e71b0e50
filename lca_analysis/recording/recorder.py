"""The Recorder: observes a training loop and writes a run."""

import operator
import os
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from types import TracebackType
from typing import Any, Protocol, SupportsIndex

import torch
from torch import nn

from lca_analysis.errors import ArgumentError
from lca_analysis.recording.background import BackgroundWriter, Snapshot
from lca_analysis.recording.hyperparameters import Groups, describe_optimizer, hyperparameters
from lca_analysis.recording.tensors import current_tensors, describe_tensors, snapshot, unwrap
from lca_analysis.trajectory import Manifest, ProblemReference, RecordingPolicy, RunWriter


class HasReference(Protocol):
    """A built problem: it knows the function that built it, and the fingerprints of its data."""

    @property
    def reference(self) -> ProblemReference | None:
        """How to build it again."""


@dataclass(frozen=True)
class RecorderOptions:
    """What is rarely set.

    Attributes
    ----------
    name : str
        Name of the run in tables and reports; by default that of its folder.
    seeds : dict of str to int
        Seeds to keep with the run; by default torch's initial seed.
    tags : dict of str to str
        Labels of your own; other values are kept as text.
    on_error : str
        "warn": when the disk fails, recording stops with a warning and training goes on; "raise": it raises.
    queue_points : int
        Most points that wait for the encoder; each is a copy of the model in memory.
    segment_length : int
        Points from one keyframe to the next.
    """

    name: str = ""
    seeds: dict[str, int] | None = None
    tags: dict[str, str] = field(default_factory=dict)
    on_error: str = "warn"
    queue_points: int = 2
    segment_length: int = 256


class Recorder:
    """Records a training run: the weights at the start, and after every optimizer step.

    Use it as a context manager around the loop. It reads the weights after each ``optimizer.step()`` by itself,
    copies them, and encodes and writes in a background thread; it changes neither weights, optimizer nor random
    numbers. When the block ends by an exception, the run is readable and marked as incomplete.

    Parameters
    ----------
    path : str or path-like
        Folder for the run; new, or empty.
    model : torch.nn.Module
        The model in training. Compiled and data-parallel models are recorded under the names of the model inside.
    optimizer : torch.optim.Optimizer, optional
        Its steps are followed; without one, call `record` after each update.
    problem : str, ProblemReference or built Problem, optional
        What the run is trained on. A Problem built by `build_problem` also brings the fingerprints of its data, so
        that a later computation on other data is refused; one made directly brings nothing.
    every : int
        Record every k-th step.
    preset : str
        "small" for the smallest run, "fast" for the least work.
    overwrite : bool
        Replace an earlier run in this folder.
    options : RecorderOptions, optional
        What is rarely set.

    Raises
    ------
    ArgumentError
        The folder is in use, or an argument cannot be used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        problem: str | ProblemReference | HasReference | None = None,
        every: int = 1,
        preset: str = "small",
        overwrite: bool = False,
        options: RecorderOptions | None = None,
    ) -> None:
        self.path = path
        self._model = unwrap(model)
        self._optimizer = optimizer
        self._every = _whole("every", every)
        self._options = options or RecorderOptions()
        _check(self._every, self._options)
        self._manifest = self._make_manifest(problem, preset)
        self._overwrite = overwrite
        self._writer: BackgroundWriter | None = None
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._iteration = 0
        self._groups: Groups = []
        self._scalars: dict[str, float] = {}

    @property
    def iteration(self) -> int:
        """How many steps have been made."""
        return self._iteration

    def start(self) -> "Recorder":
        """Make the folder, record the weights as they are, and follow the optimizer; `with` calls it."""
        if self._writer is not None:
            raise ArgumentError(f"the Recorder of {self.path} is already recording")
        writer = RunWriter.create(self.path, self._manifest, self._overwrite)
        self._writer = BackgroundWriter(writer, self._options.on_error, self._options.queue_points)
        self._groups = hyperparameters(self._optimizer)
        self._put()
        if self._optimizer is not None:
            self._hooks = [
                self._optimizer.register_step_pre_hook(self._before_step),
                self._optimizer.register_step_post_hook(self._after_step),
            ]
        return self

    def log(self, **scalars: float) -> None:
        """Keep numbers with the next recorded point; the latest value of a name counts.

        Parameters
        ----------
        **scalars : float
            For example ``loss=loss.item()``.
        """
        self._scalars |= {name: float(value) for name, value in scalars.items()}

    def record(self) -> None:
        """Count one update, and record it if it is its turn; the optimizer's own steps call it themselves."""
        if self._writer is None:
            raise ArgumentError(f"the Recorder of {self.path} is not recording: use it in a with-block")
        self._iteration += 1
        if self._iteration % self._every == 0:
            self._put()

    def close(self, complete: bool = True) -> None:
        """Write what is under way and end the run; leaving the with-block calls it.

        Parameters
        ----------
        complete : bool
            Mark the run as complete.
        """
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
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

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        """Read the hyper-parameters that the step is about to use."""
        self._groups = hyperparameters(optimizer)

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        """Record what the step has done."""
        self.record()

    def _put(self) -> None:
        """Copy the weights and hand them to the writer."""
        if self._writer is None or (self._writer.failed and self._options.on_error == "warn"):
            self._tell()
            return
        names = [tensor.name for tensor in self._manifest.tensors]
        weights = snapshot(current_tensors(self._model, names))
        self._writer.put(Snapshot(self._iteration, weights, self._groups, self._scalars))
        self._scalars = {}

    def _tell(self) -> None:
        """Let the writer say that it has failed, without copying the model once more."""
        if self._writer is not None:
            self._writer.put(Snapshot(self._iteration, {}, [], {}))

    def _make_manifest(self, problem: str | ProblemReference | HasReference | None, preset: str) -> Manifest:
        """Describe the run."""
        given = {"torch": torch.initial_seed()} if self._options.seeds is None else self._options.seeds
        seeds = {str(name): _whole(f"seed {name!r}", seed) for name, seed in given.items()}
        return Manifest(
            run_id=uuid.uuid4().hex,
            name=str(self._options.name),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            tensors=describe_tensors(self._model),
            optimizer=describe_optimizer(self._optimizer, self._model),
            problem=_reference(problem),
            seeds=seeds,
            versions={name: version(name) for name in ("lca-analysis", "torch", "numpy")},
            recording=RecordingPolicy(
                self._every, preset, True, _whole("segment_length", self._options.segment_length)
            ),
            tags={str(name): str(value) for name, value in self._options.tags.items()},
        )


def _reference(problem: str | ProblemReference | HasReference | None) -> ProblemReference | None:
    """Give the reference of a problem in any of its forms."""
    if isinstance(problem, str):
        return ProblemReference(problem)
    if problem is None or isinstance(problem, ProblemReference):
        return problem
    if not hasattr(problem, "reference"):
        raise ArgumentError(
            f"problem must be a name such as train.py:problem, or a built Problem, not {type(problem).__name__}"
        )
    return problem.reference


def _whole(name: str, value: SupportsIndex) -> int:
    """Turn a whole number of any kind into an int; ArgumentError for anything else."""
    try:
        return operator.index(value)
    except TypeError as error:
        raise ArgumentError(f"{name} must be a whole number, not {value!r}") from error


def _check(every: int, options: RecorderOptions) -> None:
    """Raise for arguments that cannot be used."""
    if every < 1:
        raise ArgumentError(f"every must be 1 or more, not {every}")
    if options.on_error not in ("warn", "raise"):
        raise ArgumentError(f'on_error must be "warn" or "raise", not {options.on_error!r}')
    if options.queue_points < 1 or options.segment_length < 1:
        raise ArgumentError("queue_points and segment_length must be 1 or more")
