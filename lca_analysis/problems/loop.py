"""The training loop of the built-in problems, and the state from which it goes on as if it had not been stopped."""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch

from lca_analysis.errors import ArgumentError, NumericalError
from lca_analysis.problems.interventions import Interventions
from lca_analysis.problems.problem import Problem
from lca_analysis.problems.settings import TrainingSettings, make_optimizer, make_schedule
from lca_analysis.recording import Recorder


class TrainingLoop:
    """Trains a problem's model in place, one iteration at a time.

    Parameters
    ----------
    problem : Problem
        What to train, on its "train" split.
    settings : TrainingSettings
        How.

    Attributes
    ----------
    optimizer : torch.optim.Optimizer
        That of the settings.
    iteration : int
        How many steps have been made.

    Raises
    ------
    ArgumentError
        The split is smaller than a minibatch, or an intervention is about no layer.
    NotFoundError
        The problem has no "train" split.
    """

    def __init__(self, problem: Problem, settings: TrainingSettings) -> None:
        self._problem = problem
        self._settings = settings
        self._inputs, self._targets = problem.split("train")
        _check_minibatch(len(self._inputs), settings.batch_size)
        self.optimizer = make_optimizer(settings, problem.model)
        self._schedule = make_schedule(settings, self.optimizer)
        self._interventions = Interventions(problem.model, self.optimizer, settings.interventions)
        self.iteration = 0

    def steps(self, recorder: Recorder | None = None) -> Iterator[float]:
        """Make the steps that are left; gives the minibatch loss before each.

        Parameters
        ----------
        recorder : Recorder, optional
            Gets that loss as ``minibatch_loss``.

        Raises
        ------
        NumericalError
            The minibatch loss is not finite.
        """
        self._problem.model.train()
        batches = minibatches(len(self._inputs), self._settings.batch_size, self._settings.seed)
        for batch in islice(batches, self.iteration, self._settings.iterations):
            loss = self._loss(batch)
            if recorder is not None:
                recorder.log(minibatch_loss=loss)
            self._interventions.apply(self.iteration)
            self.optimizer.step()
            self._schedule.step()
            self.iteration += 1
            yield loss

    def _loss(self, batch: torch.Tensor) -> float:
        """Give the loss of a minibatch, and leave its gradient in the parameters."""
        self.optimizer.zero_grad()
        loss = self._problem.loss(self._problem.model(self._inputs[batch]), self._targets[batch]).mean()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NumericalError(
                f"the minibatch loss is {value} at iteration {self.iteration}: training stopped (a smaller learning "
                "rate may help); the run up to there is recorded"
            )
        torch.autograd.backward(loss)
        return value

    def state(self) -> dict[str, Any]:
        """Give all that the steps that are left depend on, torch's random state included; tensors are not copied."""
        return {
            "iteration": self.iteration,
            "model": self._problem.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "late_gradients": self._interventions.late_gradients(),
            "random": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the state of a loop of the same problem and settings."""
        self._problem.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._interventions.restore_late_gradients(state["late_gradients"])
        torch.set_rng_state(state["random"])
        self.iteration = state["iteration"]


def _check_minibatch(examples: int, batch_size: int) -> None:
    """Raise ArgumentError when the split is smaller than a minibatch."""
    if batch_size > examples:
        raise ArgumentError(f"batch_size {batch_size} is more than the {examples} examples of the train split")


def minibatches(examples: int, batch_size: int, seed: int) -> Iterator[torch.Tensor]:
    """Draw minibatches without end: each epoch a fresh permutation, its last incomplete minibatch left out."""
    _check_minibatch(examples, batch_size)
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(examples, generator=generator)
        yield from torch.split(order[: examples - examples % batch_size], batch_size)
