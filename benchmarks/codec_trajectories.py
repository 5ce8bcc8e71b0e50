"""The trajectories that the codec is measured on: real trainings, recorded afresh through the Recorder."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import lca_analysis as lca
from lca_analysis.problems import Problem, TrainingSettings
from lca_analysis.problems.loop import TrainingLoop
from lca_analysis.problems.models import ResNet20, initialize
from lca_analysis.recording import RecorderOptions
from lca_analysis.recording.tensors import recorded_tensors
from lca_analysis.trajectory import PRESETS

Weights = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Trajectory:
    """A stretch of a training, from iteration `first` to `last`, and how much of the zstd row it must save."""

    name: str
    problem: str
    settings: TrainingSettings
    first: int
    margin: float

    @property
    def last(self) -> int:
        """Its last iteration."""
        return self.settings.iterations


def five() -> list[Trajectory]:
    """Name the trajectories that the targets are about."""
    sgd = TrainingSettings(iterations=300, learning_rate=0.05, momentum=0.9)
    adam = TrainingSettings(iterations=300, optimizer="adam", learning_rate=1e-3)
    late = TrainingSettings(iterations=1300, learning_rate=0.05, momentum=0.9)
    lenet = TrainingSettings(iterations=100, learning_rate=0.05, momentum=0.9)
    resnet = TrainingSettings(iterations=60, learning_rate=0.05, momentum=0.9)
    return [
        Trajectory("mnist_fc SGD", "mnist_fc", sgd, 0, 0.25),
        Trajectory("mnist_fc Adam", "mnist_fc", adam, 0, 0.25),
        Trajectory("mnist_fc late", "mnist_fc", late, 1000, 0.25),
        Trajectory("mnist_lenet", "mnist_lenet", lenet, 0, 0.25),
        Trajectory("ResNet-20", "resnet", resnet, 0, 0.15),
    ]


@dataclass(frozen=True)
class Recorded:
    """A recorded trajectory: a run folder per preset, and copies of the weights that were in memory.

    `points` has every recorded tensor, buffers included; `flat` the parameters alone, as one vector a point.
    """

    folders: dict[str, Path]
    points: list[Weights]
    flat: list[NDArray[np.float32]]


def record(trajectory: Trajectory, folder: Path) -> Recorded:
    """Train once, with one Recorder per preset attached."""
    problem = build(trajectory.problem)
    loop = TrainingLoop(problem, trajectory.settings)
    folders = {preset: folder / preset for preset in PRESETS}
    points: list[Weights] = []
    with contextlib.ExitStack() as stack:
        for preset, path in folders.items():
            stack.enter_context(
                lca.Recorder(
                    path,
                    problem.model,
                    loop.optimizer,
                    preset=preset,
                    windows=[(trajectory.first, trajectory.last)],
                    options=RecorderOptions(on_error="raise"),
                )
            )
        torch.manual_seed(trajectory.settings.seed)
        for iteration in iterations(loop):
            if iteration >= trajectory.first:
                points.append(copies(problem))
    names = [name for name, _ in problem.model.named_parameters()]
    flat = [np.concatenate([point[name].ravel() for name in names]) for point in points]
    return Recorded(folders, points, flat)


def iterations(loop: TrainingLoop) -> Iterator[int]:
    """Train; gives the number of steps made, from 0 on."""
    yield 0
    for _ in loop.steps():
        yield loop.iteration


def copies(problem: Problem) -> Weights:
    """Copy every tensor that a recorder records."""
    return {name: tensor.detach().numpy().copy() for name, tensor in recorded_tensors(problem.model).items()}


def build(name: str) -> Problem:
    """Build a built-in problem, or the package's ResNet-20 on MNIST's images: CIFAR-10 does not come with it."""
    if name != "resnet":
        return lca.build_problem(name)
    images, labels = lca.build_problem("mnist_fc").split("train")
    splits = {"train": (images.expand(-1, 3, -1, -1), labels)}
    loss = torch.nn.CrossEntropyLoss(reduction="none")
    return Problem(initialize(ResNet20(), 0), loss, splits)
