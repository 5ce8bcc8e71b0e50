"""What ranges of one split are computed with, and what one of them leaves for the next in the same process."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
import torch

from lca_analysis.allocation import kernels
from lca_analysis.allocation.evaluator import SplitLoss
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.allocation.parameter_sums import count_type
from lca_analysis.allocation.preparation import build_without_weights
from lca_analysis.allocation.walk import StepWalk
from lca_analysis.errors import MismatchError
from lca_analysis.memory import give_back
from lca_analysis.problems import Problem
from lca_analysis.trajectory import ProblemReference, open_run

if TYPE_CHECKING:
    from lca_analysis.allocation.ranges import RangeJob


@dataclass(frozen=True)
class Bench:
    """The model, the loss with the data, and the place in the run."""

    model: FlatModel
    split_loss: SplitLoss
    walk: StepWalk
    first_point: int


class Shelf:
    """Keeps the bench of the range computed last, for ranges of the same split; it may be asked by one thread only.

    It must not outlive a computation: the run may grow.
    """

    def __init__(self) -> None:
        self._kept: tuple[RangeJob, Problem | None, Bench] | None = None

    def take(self, job: "RangeJob", problem: Problem | None) -> Bench:
        """Take the bench for a range off the shelf, or make one.

        Parameters
        ----------
        job : RangeJob
            The range.
        problem : Problem, optional
            The built problem; by default it is built from the job, once in a process.
        """
        kept, self._kept = self._kept, None
        if kept is not None and kept[0].source == job.source and kept[1] is problem:
            return kept[2]
        del kept
        return _make(job, problem)

    def put(self, job: "RangeJob", problem: Problem | None, bench: Bench) -> None:
        """Put a bench, with which a range was computed to its end, back."""
        self._kept = job, problem, bench


def _make(job: "RangeJob", problem: Problem | None) -> Bench:
    """Open the run, copy the model, and prepare the data."""
    run = open_run(job.run_path)
    built = problem if problem is not None else _problem(msgspec.json.encode(job.problem))
    model = FlatModel(built, run, job.options.match, job.options.device)
    split_loss = SplitLoss(built, job.split, model, job.options.classes)
    kernels.prepare(torch.empty(0, dtype=model.dtype).numpy().dtype, count_type(job.options.range_length))
    give_back()
    return Bench(model, split_loss, StepWalk(run, model, split_loss), int(run.iterations[0]))


@lru_cache(maxsize=2)
def _problem(reference: bytes) -> Problem:
    """Build a problem once in a worker process, and check that it is the one that was built before."""
    wanted = msgspec.json.decode(reference, type=ProblemReference)
    built = build_without_weights(wanted)
    if built.reference is None or built.reference.fingerprints != wanted.fingerprints:
        raise MismatchError(f"{wanted.target} builds other data in a worker process; fix its seeds, or use workers=1")
    return built
