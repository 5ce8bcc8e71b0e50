"""The unit of work: one iteration range of one split, computed and written on its own."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
import torch

from lca_analysis.allocation.accumulators import Accumulators
from lca_analysis.allocation.evaluator import SplitLoss, one_thread
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.options import ComputeOptions
from lca_analysis.allocation.path import EndPoint, NotFiniteError, RecordedPath
from lca_analysis.allocation.rows import (
    ALL_CLASSES,
    Columns,
    SeriesRows,
    UnitRows,
    element_rows,
    join,
    nonfinite_tensor_rows,
    tensor_rows,
)
from lca_analysis.allocation.schemes import PathIntegral, make_scheme
from lca_analysis.allocation.step import AllocatedStep
from lca_analysis.errors import MismatchError
from lca_analysis.problems import Problem, build_problem
from lca_analysis.store import Store, open_store, part_name
from lca_analysis.trajectory import ProblemReference, Run, open_run

OK, TOLERANCE, NONFINITE = "ok", "tolerance", "nonfinite"


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
        split_loss = SplitLoss(built, job.split, model)
        reducers = _RangeReducers(model.layout, split_loss, job.options)
        for path, iteration, iteration_next in _paths(run, model, split_loss, job):
            reducers.take(path, iteration, iteration_next, is_first=iteration == run.iterations[0])
            if on_step is not None:
                on_step()
        reducers.write(job, store)


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


class _RangeReducers:
    """Allocates the steps of one range and keeps what the tables need of them."""

    def __init__(self, layout: Layout, split_loss: SplitLoss, options: ComputeOptions) -> None:
        self._split_loss = split_loss
        self._layout = layout
        self._tolerance = options.tolerance
        self._scheme = make_scheme(options.rule, options.tolerance, options.max_pieces)
        self._units = UnitRows(self._layout)
        self._series = SeriesRows(self._layout, options.sample_seed)
        self._elements = options.elements
        self._accumulators = Accumulators.zeros(self._layout)
        self.iterations: list[Columns] = []
        self._parts: dict[str, list[Columns]] = {}

    def take(self, path: RecordedPath, iteration: int, iteration_next: int, is_first: bool) -> None:
        """Allocate one step."""
        before = self._split_loss.evaluations
        started = path.start.has_gradient
        try:
            integral = self._scheme.integrate(path)
            path.check_finite(integral.path_gradient)
        except NotFiniteError:
            integral = None
        used = self._split_loss.evaluations - before
        if path.start.has_gradient and not started and self._scheme.uses_end and not is_first:
            # A range begins by repeating a gradient that belongs to the step before it.
            used -= 1
        if integral is None:
            self._take_nonfinite(iteration)
            allocated, error = np.nan, np.nan
        else:
            allocated, error = self._take_finite(path, integral, iteration, iteration_next)
        keys = {"iteration": iteration, "iteration_next": iteration_next, "class": ALL_CLASSES}
        row = self._iteration_row(path, integral, allocated, error)
        self.iterations.append({**keys, **row, "rule": self._scheme.name, "gradient_evaluations": used})

    def _iteration_row(
        self, path: RecordedPath, integral: PathIntegral | None, allocated: float, error: float
    ) -> Columns:
        """Give what the `iterations` table says of one step."""
        before, after = path.start.loss, path.end.loss
        change = after - before if integral is not None else np.nan
        missed = abs(change - allocated) > self._tolerance
        return {
            "loss_before": before if math.isfinite(before) else np.nan,
            "loss_after": after if math.isfinite(after) else np.nan,
            "loss_change": change,
            "allocated": allocated,
            "residual": change - allocated,
            "error_estimate": error,
            "pieces": 0 if integral is None else integral.pieces,
            "status": NONFINITE if integral is None else TOLERANCE if missed else OK,
        }

    def _take_finite(
        self, path: RecordedPath, integral: PathIntegral, iteration: int, iteration_next: int
    ) -> tuple[float, float]:
        """Reduce an allocated step; gives Σ A and the estimate of its error."""
        error = None if integral.coarse is None else path.step * (integral.path_gradient - integral.coarse)
        lca = path.step * integral.path_gradient
        step = AllocatedStep(
            iteration, iteration_next, path.start.weights, path.step, integral.path_gradient, lca, error
        )
        rows = tensor_rows(self._layout, step)
        self._keep("layers", rows)
        self._keep("units", self._units(iteration, lca))
        self._keep("series", self._series(step))
        if self._elements:
            self._keep("elements", element_rows(self._layout, iteration, lca))
        self._accumulators.add(step, self._layout)
        estimate = np.nan if error is None else abs(float(error.sum(dtype=torch.float64)))
        return math.fsum(rows["lca"]), estimate

    def _take_nonfinite(self, iteration: int) -> None:
        """Keep null rows for a step that cannot be allocated; the sums over iterations leave it out."""
        self._keep("layers", nonfinite_tensor_rows(self._layout, iteration))
        self._keep("units", self._units(iteration, None))
        self._keep("series", self._series.nonfinite(iteration))
        if self._elements:
            self._keep("elements", element_rows(self._layout, iteration, None))

    def _keep(self, table: str, rows: Columns | None) -> None:
        """Keep the rows of one step."""
        if rows is not None:
            self._parts.setdefault(table, []).append(rows)

    def write(self, job: RangeJob, store: Store) -> None:
        """Write every part of the range, and its sums over iterations before the mark that it is done."""
        for table, rows in self._parts.items():
            store.write_part(table, join(rows), job.name, job.split, job.part)
        self._accumulators.save(job.accumulators_path(store))
        store.write_part("iterations", join(self.iterations), job.name, job.split, job.part)
