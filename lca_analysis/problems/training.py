"""The training loop of the built-in problems, recorded through the public Recorder."""

import math
import os
from collections.abc import Iterator

import torch

from lca_analysis.errors import ArgumentError, NumericalError
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
) -> Run:
    """Train a problem's model on its "train" split and record every iteration.

    The same seed gives the same run, bit for bit, on one machine with one number of threads.

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

    Returns
    -------
    Run
        The recorded run.

    Raises
    ------
    ArgumentError
        The folder is in use, or the split is smaller than a minibatch.
    NumericalError
        The minibatch loss is not finite; the run up to there stays readable.
    """
    chosen = settings or TrainingSettings()
    optimizer = make_optimizer(chosen, problem.model)
    seeds = {"train": chosen.seed}
    if problem.reference is not None and isinstance(seed := problem.reference.arguments.get("seed", 0), int):
        seeds["model"] = seed
    options = RecorderOptions(seeds=seeds, tags={"settings": chosen.to_json()})
    recorder = Recorder(path, problem.model, optimizer, problem=problem, overwrite=overwrite, options=options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(chosen.seed)
        with recorder, track(chosen.iterations, "train", "it", progress) as bar:
            for loss in steps(problem, optimizer, chosen, recorder):
                bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
                bar.update()
    return open_run(path)


def steps(
    problem: Problem,
    optimizer: torch.optim.Optimizer,
    settings: TrainingSettings,
    recorder: Recorder | None = None,
) -> Iterator[float]:
    """Train, one iteration at a time; gives the minibatch loss before each step."""
    inputs, targets = problem.split("train")
    schedule = make_schedule(settings, optimizer)
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
        optimizer.step()
        schedule.step()
        yield value


def minibatches(examples: int, batch_size: int, seed: int) -> Iterator[torch.Tensor]:
    """Draw minibatches without end: each epoch a fresh permutation, its last incomplete minibatch left out."""
    if batch_size > examples:
        raise ArgumentError(f"batch_size {batch_size} is more than the {examples} examples of the train split")
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(examples, generator=generator)
        yield from torch.split(order[: examples - examples % batch_size], batch_size)
