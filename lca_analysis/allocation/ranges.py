"""The unit of work: one iteration range of one split, computed and written on its own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np

from lca_analysis.allocation import kernels
from lca_analysis.allocation.devices import exact_arithmetic
from lca_analysis.allocation.evaluator import SplitLoss, one_thread
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.options import ComputeOptions
from lca_analysis.allocation.part_rows import Update
from lca_analysis.allocation.path import EndPoint, RecordedPath
from lca_analysis.allocation.reducers import RangeReducers
from lca_analysis.allocation.tensor_sums import Columns
from lca_analysis.allocation.updates import UpdateTracker
from lca_analysis.errors import MismatchError
from lca_analysis.problems import Problem, build_problem
from lca_analysis.store import Store, open_store, part_name
from lca_analysis.trajectory import ProblemReference, Run, open_run


@dataclass(frozen=True)
class RangeJob:
    """A range to compute: paths, names and numbers only, so that any process on any machine can take it.

    Attributes
    ----------
    run_path, store_path : str
        The run folder and the store.
    name : str
        Name of the run in the store.
    problem : ProblemReference
        What the run was trained on.
    split : str
        Which split.
    first, last : int, iterations
        Recorded points at which the first step starts and the last one ends.
    steps : int
        Steps between them.
    options : ComputeOptions
        How to compute.
    """

    run_path: str
    store_path: str
    name: str
    problem: ProblemReference
    split: str
    first: int
    last: int
    steps: int
    options: ComputeOptions

    @property
    def part(self) -> str:
        """Name of the parts that this range writes."""
        return part_name(self.first, self.last)

    @property
    def is_full(self) -> bool:
        """Whether the range has its full length; the last one of a run may have less, and grow with it."""
        return self.steps == self.options.range_length

    def tables(self, layout: Layout) -> tuple[str, ...]:
        """Name the tables that this range writes parts of, beside `iterations`."""
        wanted = {
            "layers": bool(layout.places),
            "units": any(layout.units(layer) for layer in layout.layers),
            "series": layout.size > 0,
            "directions": self.options.directions is not None,
            "elements": self.options.elements,
        }
        return tuple(table for table, is_written in wanted.items() if is_written)

    def accumulators_path(self, store: Store) -> Path:
        """Where its sums over iterations wait to be merged."""
        return store.work(self.name, self.split) / f"accumulators-{self.part}.sums"


def compute_range(job: RangeJob, problem: Problem | None = None, on_step: Callable[[], object] | None = None) -> None:
    """Compute a range and write its parts; the part of `iterations` comes last and marks it as done.

    Parameters
    ----------
    job : RangeJob
        What to compute.
    problem : Problem, optional
        The built problem; by default it is built from the job, once in a process.
    on_step : callable, optional
        Called after every step.
    """
    with one_thread(), exact_arithmetic(job.options.device):
        run, store = open_run(job.run_path), open_store(job.store_path)
        built = problem if problem is not None else _problem(msgspec.json.encode(job.problem))
        model = FlatModel(built, run, job.options.match, job.options.device)
        split_loss = SplitLoss(built, job.split, model, job.options.classes)
        kernels.prepare(model.weights.cpu().numpy().dtype)
        with _elements(job, store) as keep_elements:
            reducers = RangeReducers(model, split_loss, job.options, store.work(job.name, job.split), keep_elements)
            for path, iteration, iteration_next, update in _paths(run, model, split_loss, job):
                reducers.take(path, iteration, iteration_next, update, is_first=iteration == run.iterations[0])
                del path, update  # while the next point is decoded, no vectors are kept that it does not need
                if on_step is not None:
                    on_step()
        parts = reducers.parts()
        marks = parts.pop("iterations")
        for table, columns in parts.items():
            store.write_part(table, columns, job.name, job.split, job.part)
        reducers.accumulators.save(job.accumulators_path(store))
        store.write_part("iterations", marks, job.name, job.split, job.part)


def _elements(job: RangeJob, store: Store) -> AbstractContextManager[Callable[[Columns], None] | None]:
    """Open the part that takes the elements, step by step; None when they are not asked for."""
    if not job.options.elements:
        return nullcontext()
    return store.growing_part("elements", job.name, job.split, job.part)


@lru_cache(maxsize=2)
def _problem(reference: bytes) -> Problem:
    """Build a problem once in a worker process, and check that it is the one that was built before."""
    wanted = msgspec.json.decode(reference, type=ProblemReference)
    built = build_problem(wanted)
    if built.reference is None or built.reference.fingerprints != wanted.fingerprints:
        raise MismatchError(f"{wanted.target} builds other data in a worker process; fix its seeds, or use workers=1")
    return built


def _paths(
    run: Run, model: FlatModel, split_loss: SplitLoss, job: RangeJob
) -> Iterator[tuple[RecordedPath, int, int, Update]]:
    """Go through the steps of a range; neighbours share their end point."""
    tracker = UpdateTracker(model.layout, run.manifest, model.dtype)
    first = _start_of_walk(run, job.first, tracker)
    start, before = None, None
    for point in run.walk(first, job.last, model.names):
        end, after = EndPoint(split_loss, model.flatten(point.weights)), replace(point, weights={})
        if point.iteration >= job.first:
            model.check_buffers(point.weights, point.iteration)
        point.weights.clear()  # whoever hands points on still holds this one while the step is allocated
        if start is not None and before is not None:
            if before.iteration >= job.first:
                carries = tracker.take(start.weights, end.weights, before, after)
                path = RecordedPath(split_loss, start, end)
                yield path, before.iteration, after.iteration, Update(carries, tracker.buffer)
                del path
            tracker.follow(start.weights, end.weights, before, after)
        start, before = end, after
        del end


def _start_of_walk(run: Run, first: int, tracker: UpdateTracker) -> int:
    """Find the point from which on steps are followed, so that the momentum is known at the start of a range."""
    place = max(0, int(np.searchsorted(run.iterations, first)) - tracker.steps_before)
    if place == 0 and run.manifest.optimizer.fresh and run.iterations[0] == 0:
        tracker.begin()
    return int(run.iterations[place])
