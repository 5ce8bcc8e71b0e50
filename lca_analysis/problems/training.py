"""The training loop of the built-in problems, recorded through the public Recorder."""

import math
import os
from collections.abc import Iterator

import torch

from lca_analysis.errors import ArgumentError, NumericalError
from lca_analysis.problems.build import PROBLEMS
from lca_analysis.problems.interventions import Interventions
from lca_analysis.problems.problem import Problem
from lca_analysis.problems.settings import TrainingSettings, make_optimizer, make_schedule
from lca_analysis.progress import track
from lca_analysis.recording import Recorder, RecorderOptions
from lca_analysis.trajectory import Run, open_run


def train(
    problem: Problem,
    path: str | os.PathLike[str],
    settings: TrainingSettings | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    group: str | None = None,
    name: str = "",
) -> Run:
    """Train a problem's model on its "train" split and record every iteration.

    An epoch is a fresh permutation of the split, cut into minibatches; a last one that would be incomplete is left
    out, so that every gradient is over as many examples. The same seed gives the same run, bit for bit, on one
    machine with one number of threads. torch's global random state is left as it was.

    Parameters
    ----------
    problem : Problem
        What to train; its model is changed in place.
    path : str or path-like
        Folder of the run.
    settings : TrainingSettings, optional
        How to train.
    overwrite : bool
        Replace an earlier run in this folder.
    progress : bool, optional
        Show a progress bar; None shows it on a terminal only.
    group : str, optional
        Name of the configuration that the run repeats, for comparisons over runs; None makes one of the problem, its
        arguments and the settings, without the seeds.
    name : str
        Name of the run; by default that of its folder. Runs of one store need names of their own.

    Returns
    -------
    Run
        The recorded run.

    Raises
    ------
    ArgumentError
        The folder is in use, the split is smaller than a minibatch, or an intervention is about no layer.
    NotFoundError
        The problem has no "train" split.
    OSError
        The disk fails; the run up to there stays readable.
    NumericalError
        The minibatch loss is not finite; the run up to there stays readable.
    """
    chosen = settings or TrainingSettings()
    _check_minibatch(len(problem.split("train")[0]), chosen.batch_size)  # before the folder is touched
    optimizer = make_optimizer(chosen, problem.model)
    tags = {"settings": chosen.to_json(), "group": group or group_of(problem, chosen)}
    options = RecorderOptions(name=name, seeds=_seeds(problem, chosen), tags=tags, on_error="raise")
    recorder = Recorder(path, problem.model, optimizer, problem=problem, overwrite=overwrite, options=options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(chosen.seed)
        with recorder, track(chosen.iterations, "train", "it", progress) as bar:
            for loss in steps(problem, optimizer, chosen, recorder):
                bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
                bar.update()
    return open_run(path)


def _seeds(problem: Problem, settings: TrainingSettings) -> dict[str, int]:
    """Give the seeds to keep: of training, and of the model where the problem's arguments or defaults tell it."""
    seeds = {"train": settings.seed}
    if problem.reference is None:
        return seeds
    default = 0 if problem.reference.target in PROBLEMS else None
    if isinstance(seed := problem.reference.arguments.get("seed", default), int):
        seeds["model"] = seed
    return seeds


def group_of(problem: Problem, settings: TrainingSettings) -> str:
    """Name the configuration that a run repeats: problem, arguments and settings, without the seeds.

    Parameters
    ----------
    problem : Problem
        What is trained.
    settings : TrainingSettings
        How.

    Returns
    -------
    str
        Such as ``mnist_fc; momentum 0.5; fc3: frozen from 0``.
    """
    reference = problem.reference
    arguments = {} if reference is None else reference.arguments
    told = [f"{name} {value}" for name, value in sorted(arguments.items()) if name not in ("seed", "data")]
    target = type(problem.model).__name__ if reference is None else reference.target
    return "; ".join(filter(None, [target, *told, settings.configuration()]))


def _check_minibatch(examples: int, batch_size: int) -> None:
    """Raise ArgumentError when the split is smaller than a minibatch."""
    if batch_size > examples:
        raise ArgumentError(f"batch_size {batch_size} is more than the {examples} examples of the train split")


def steps(
    problem: Problem,
    optimizer: torch.optim.Optimizer,
    settings: TrainingSettings,
    recorder: Recorder | None = None,
) -> Iterator[float]:
    """Train, one iteration at a time; gives the minibatch loss before each step."""
    inputs, targets = problem.split("train")
    schedule = make_schedule(settings, optimizer)
    interventions = Interventions(problem.model, optimizer, settings.interventions)
    problem.model.train()
    batches = minibatches(len(inputs), settings.batch_size, settings.seed)
    for iteration, batch in zip(range(settings.iterations), batches, strict=False):
        optimizer.zero_grad()
        loss = problem.loss(problem.model(inputs[batch]), targets[batch]).mean()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NumericalError(
                f"the minibatch loss is {value} at iteration {iteration}: training stopped (a smaller learning "
                "rate may help); the run up to there is recorded"
            )
        torch.autograd.backward(loss)
        if recorder is not None:
            recorder.log(minibatch_loss=value)
        interventions.apply(iteration)
        optimizer.step()
        schedule.step()
        yield value


def minibatches(examples: int, batch_size: int, seed: int) -> Iterator[torch.Tensor]:
    """Draw minibatches without end: each epoch a fresh permutation, its last incomplete minibatch left out."""
    _check_minibatch(examples, batch_size)
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(examples, generator=generator)
        yield from torch.split(order[: examples - examples % batch_size], batch_size)
