"""Training a problem, recorded through the public Recorder; a training that was stopped goes on."""

import os

import torch

from lca_analysis.problems.build import PROBLEMS
from lca_analysis.problems.checkpoint import Checkpoints, check_same, load_checkpoint
from lca_analysis.problems.loop import TrainingLoop
from lca_analysis.problems.problem import Problem
from lca_analysis.problems.settings import TrainingSettings
from lca_analysis.progress import track
from lca_analysis.recording import Recorder, RecorderOptions, holds_run
from lca_analysis.trajectory import Run, open_run


def train(
    problem: Problem,
    path: str | os.PathLike[str],
    settings: TrainingSettings | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    group: str | None = None,
    name: str = "",
    resume: bool = False,
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
    resume : bool
        Go on with the run in this folder, from the last checkpoint beside it: at most the last ten seconds are
        repeated, and the weights become, to the bit, those of a training that was never stopped. A complete run is left
        as it is. Where there is no run, a new one starts.

    Returns
    -------
    Run
        The recorded run.

    Raises
    ------
    ArgumentError
        The folder is in use, the split is smaller than a minibatch, or an intervention is about no layer.
    MismatchError
        The run to go on with is of another problem, or was trained with other settings.
    CorruptError
        The checkpoint beside the run to go on with cannot be read.
    NotFoundError
        The problem has no "train" split.
    OSError
        The disk fails; the run up to there stays readable.
    NumericalError
        The minibatch loss is not finite; the run up to there stays readable.
    """
    chosen = settings or TrainingSettings()
    loop = TrainingLoop(problem, chosen)  # checks them before the folder is touched
    tags = {"settings": chosen.to_json(), "group": group or group_of(problem, chosen)}
    options = RecorderOptions(name=name, seeds=_seeds(problem, chosen), tags=tags, on_error="raise")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(chosen.seed)
        if resume and holds_run(path):
            run = open_run(path)
            check_same(run, problem, tags["settings"])
            if run.complete:
                return run
            if state := load_checkpoint(run):
                loop.restore(state)
        recorder = Recorder(
            path,
            problem.model,
            loop.optimizer,
            problem=problem,
            overwrite=overwrite,
            resume=resume,
            iteration=loop.iteration,
            options=options,
        )
        _record(loop, recorder, chosen.iterations, progress)
    return open_run(path)


def _record(loop: TrainingLoop, recorder: Recorder, iterations: int, progress: bool | None) -> None:
    """Make the steps that are left under a Recorder, with a checkpoint now and then."""
    checkpoints = Checkpoints(recorder.path)
    with recorder, track(iterations, "train", "it", progress, loop.iteration) as bar:
        for loss in loop.steps(recorder):
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            bar.update()
            checkpoints.save_if_due(loop, recorder)
    checkpoints.remove()


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
