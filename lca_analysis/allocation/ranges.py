"""The unit of work: one iteration range of one split, computed and written on its own."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from lca_analysis.allocation.bench import Shelf
from lca_analysis.allocation.devices import exact_arithmetic
from lca_analysis.allocation.evaluator import one_thread
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.options import ComputeOptions
from lca_analysis.allocation.reducers import RangeReducers
from lca_analysis.allocation.tensor_sums import Columns
from lca_analysis.problems import Problem
from lca_analysis.store import Store, open_store, part_name
from lca_analysis.trajectory import ProblemReference


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
    def source(self) -> tuple[object, ...]:
        """What it shares with the other ranges of its split."""
        return self.run_path, self.name, self.problem, self.split, self.options

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


def compute_range(
    job: RangeJob,
    problem: Problem | None = None,
    on_step: Callable[[], object] | None = None,
    shelf: Shelf | None = None,
) -> None:
    """Compute a range and write its parts; the part of `iterations` comes last and marks it as done.

    Parameters
    ----------
    job : RangeJob
        What to compute.
    problem : Problem, optional
        The built problem; by default it is built from the job, once in a process.
    on_step : callable, optional
        Called after every step.
    shelf : Shelf, optional
        Gives what the range before has left, and takes what this one leaves.
    """
    shelf = Shelf() if shelf is None else shelf
    with one_thread(), exact_arithmetic(job.options.device):
        bench, store = shelf.take(job, problem), open_store(job.store_path)
        model, split_loss = bench.model, bench.split_loss
        with _elements(job, store) as keep_elements:
            reducers = RangeReducers(model, split_loss, job.options, store.work(job.name, job.split), keep_elements)
            for step in bench.walk.steps(job.first, job.last):
                reducers.take(*step, is_first=step.iteration == bench.first_point)
                del step  # while the next point is decoded, no vectors are kept that it does not need
                if on_step is not None:
                    on_step()
        parts = reducers.parts()
        marks = parts.pop("iterations")
        for table, columns in parts.items():
            store.write_part(table, columns, job.name, job.split, job.part)
        reducers.accumulators.save(job.accumulators_path(store))
        store.write_part("iterations", marks, job.name, job.split, job.part)
        shelf.put(job, problem, bench)


def _elements(job: RangeJob, store: Store) -> AbstractContextManager[Callable[[Columns], None] | None]:
    """Open the part that takes the elements, step by step; None when they are not asked for."""
    if not job.options.elements:
        return nullcontext()
    return store.growing_part("elements", job.name, job.split, job.part)
