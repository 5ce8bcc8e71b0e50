"""The unit of work: one iteration range of one split, computed and written on its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from lca_analysis.allocation.evaluator import SplitLoss, one_thread
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.options import ComputeOptions
from lca_analysis.allocation.path import EndPoint, RecordedPath
from lca_analysis.allocation.reducers import RangeReducers
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
            "elements": self.options.elements,
        }
        return tuple(table for table, is_written in wanted.items() if is_written)

    def accumulators_path(self, store: Store) -> Path:
        """Where its sums over iterations wait to be merged."""
        return store.work(self.name, self.split) / f"accumulators-{self.part}.npz"


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
    with one_thread():
        run, store = open_run(job.run_path), open_store(job.store_path)
        built = problem if problem is not None else _problem(msgspec.json.encode(job.problem))
        model = FlatModel(built, run, job.options.match)
        split_loss = SplitLoss(built, job.split, model, job.options.classes)
        reducers = RangeReducers(model.layout, split_loss, job.options)
        for path, iteration, iteration_next in _paths(run, model, split_loss, job):
            reducers.take(path, iteration, iteration_next, is_first=iteration == run.iterations[0])
            if on_step is not None:
                on_step()
        parts = reducers.parts()
        marks = parts.pop("iterations")
        for table, columns in parts.items():
            store.write_part(table, columns, job.name, job.split, job.part)
        reducers.accumulators.save(job.accumulators_path(store))
        store.write_part("iterations", marks, job.name, job.split, job.part)


@lru_cache(maxsize=2)
def _problem(reference: bytes) -> Problem:
    """Build a problem once in a worker process, and check that it is the one that was built before."""
    wanted = msgspec.json.decode(reference, type=ProblemReference)
    built = build_problem(wanted)
    if built.reference is None or built.reference.fingerprints != wanted.fingerprints:
        raise MismatchError(f"{wanted.target} builds other data in a worker process; fix its seeds, or use workers=1")
    return built


def _paths(run: Run, model: FlatModel, split_loss: SplitLoss, job: RangeJob) -> Iterator[tuple[RecordedPath, int, int]]:
    """Go through the steps of a range; neighbours share their end point."""
    start, iteration = None, 0
    for point in run.walk(job.first, job.last, model.names):
        model.check_buffers(point.weights, point.iteration)
        end = EndPoint(split_loss, model.flatten(point.weights))
        if start is not None:
            yield RecordedPath(split_loss, start, end), iteration, point.iteration
        start, iteration = end, point.iteration
