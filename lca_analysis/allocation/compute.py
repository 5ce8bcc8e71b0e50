"""compute: the loss change allocation of a whole run, range by range, into the store."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

from tqdm import tqdm

from lca_analysis.allocation.about import write_run_tables
from lca_analysis.allocation.evaluator import SplitLoss, one_thread
from lca_analysis.allocation.merging import RangeMerger
from lca_analysis.allocation.options import ComputeOptions
from lca_analysis.allocation.preparation import (
    check_data,
    check_store,
    choose_splits,
    claim,
    find_problem,
    settings_of,
)
from lca_analysis.allocation.ranges import RangeJob, compute_range
from lca_analysis.allocation.summary import Summary, summarize_split
from lca_analysis.errors import ArgumentError, NumericalError
from lca_analysis.problems import Problem
from lca_analysis.progress import track
from lca_analysis.store import Store, open_store
from lca_analysis.trajectory import ProblemReference, Run, open_run


@dataclass(frozen=True)
class Execution:
    """How a computation is carried out; the tables do not depend on it.

    Attributes
    ----------
    workers : int
        Processes; 1 computes in this one, 0 takes one per core.
    executor : concurrent.futures.Executor, optional
        Takes the iteration ranges instead; its workers must see the run, the store and the problem's code and data.
    other_data : bool
        Compute although the data are not those that the run was recorded with.
    overwrite : bool
        Replace what the store has of this run.
    """

    workers: int = 1
    executor: Executor | None = None
    other_data: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class _SplitWork:
    """The ranges of one split, what joins them, and the settings that they were begun with."""

    jobs: list[RangeJob]
    merger: RangeMerger
    settings: dict[str, Any]

    @property
    def open_jobs(self) -> list[RangeJob]:
        """Ranges that are not computed yet."""
        return [job for number, job in enumerate(self.jobs) if not self.merger.is_done(number)]


def compute(
    run: str | os.PathLike[str],
    store: str | os.PathLike[str],
    problem: str | ProblemReference | Problem | None = None,
    splits: str | list[str] | tuple[str, ...] | None = None,
    *,
    progress: bool | None = None,
    **options: Any,
) -> Summary:
    """Allocate every loss change of a run to its parameters, and store it.

    A_{t,i} = Δ_{t,i} ∫₀¹ ∂L/∂θ_i (θ_t + sΔ_t) ds over the whole of each split (Lan et al. 2019, arXiv 1909.01440).
    The work is cut into iteration ranges; each is written as soon as it is done, so that an interrupted call goes on
    where it stopped when it is repeated, and a finished one does nothing. The tables are the same, byte for byte,
    whatever the number of workers and interruptions.

    Parameters
    ----------
    run : str or path-like
        The run folder.
    store : str or path-like
        The store; made when it is missing.
    problem : str, ProblemReference or Problem, optional
        What the run was trained on; by default what the run says.
    splits : str or list of str, optional
        Which splits of the problem; by default all.
    progress : bool, optional
        Show a progress bar; None shows it on a terminal only.
    **options
        Fields of `ComputeOptions` (rule, tolerance, max_pieces, match, elements, sample_seed, range_length) and of
        `Execution` (workers, executor, other_data, overwrite).

    Returns
    -------
    Summary
        Conservation, residuals and cost of each split.

    Raises
    ------
    NotFoundError
        The run, the problem or a split is not there.
    FormatError, CorruptError
        The run or the store cannot be read.
    MismatchError
        Problem, model, data or settings are not those of the run or of what the store has begun.
    NumericalError
        The run has no step.
    ArgumentError
        An option cannot be used.
    """
    begun = time.perf_counter()
    settings, execution = _split_options(options)
    opened = open_run(run)
    if len(opened.iterations) < 2:
        raise NumericalError(f"{opened.path} holds {len(opened.iterations)} recorded points: no step to allocate")
    built = find_problem(opened, problem)
    chosen = choose_splits(built, splits)
    if not execution.other_data:
        check_data(opened, built, chosen)
    SplitLoss(built, chosen[0], opened, settings.match)  # what does not fit is refused before the store is touched
    opened_store = open_store(store, create=True)
    works = _prepare(opened, opened_store, built, chosen, settings, execution)
    todo = [job for work in works for job in work.open_jobs]
    _compute_all(opened, todo, works, built, execution, progress)
    for work in works:
        _finish(work, opened_store)
    ranges = sum(len(work.jobs) for work in works)
    summaries = tuple(summarize_split(opened_store, opened.name, split) for split in chosen)
    return Summary(opened.name, summaries, len(todo), ranges - len(todo), time.perf_counter() - begun)


def _split_options(options: dict[str, Any]) -> tuple[ComputeOptions, Execution]:
    """Tell what the tables depend on from how they are made."""
    execution = {name: options.pop(name) for name in list(options) if name in Execution.__dataclass_fields__}
    unknown = [name for name in options if name not in ComputeOptions.__dataclass_fields__]
    if unknown:
        known = [*ComputeOptions.__dataclass_fields__, *Execution.__dataclass_fields__]
        raise ArgumentError(f"compute has no option {unknown[0]!r}; it has: {', '.join(known)}")
    settings, how = ComputeOptions(**options), Execution(**execution)
    if how.workers < 0:
        raise ArgumentError(f"workers must be 0 (one per core) or more, not {how.workers}")
    return settings, replace(how, workers=how.workers or os.cpu_count() or 1)


def _prepare(
    run: Run, store: Store, problem: Problem, splits: list[str], options: ComputeOptions, execution: Execution
) -> list[_SplitWork]:
    """Claim each split in the store, and cut it into ranges."""
    if execution.overwrite:
        for split in splits:
            store.remove(run.name, split)
    else:
        check_store(store, run, run.name)
    works = []
    for split in splits:
        split_loss = SplitLoss(problem, split, run, options.match)
        settings = settings_of(run, problem, split_loss, split, options)
        claim(store, run.name, split, settings, options.elements)
        jobs = _cut(run, store, problem, split, options)
        works.append(_SplitWork(jobs, RangeMerger(store, jobs, split_loss.layout), settings))
        write_run_tables(run, split_loss.layout, store, run.name)
    return works


def _cut(run: Run, store: Store, problem: Problem, split: str, options: ComputeOptions) -> list[RangeJob]:
    """Cut a run into ranges of the same length, whoever computes them."""
    reference = problem.reference or ProblemReference("")
    last = len(run.iterations) - 1
    starts = range(0, last, options.range_length)
    ends = [(int(run.iterations[n]), int(run.iterations[min(n + options.range_length, last)])) for n in starts]
    paths = os.path.abspath(run.path) if "://" not in run.path else run.path, os.path.abspath(store.path)
    return [RangeJob(*paths, run.name, reference, split, first, end, options) for first, end in ends]


def _compute_all(
    run: Run,
    jobs: list[RangeJob],
    works: list[_SplitWork],
    problem: Problem,
    execution: Execution,
    progress: bool | None,
) -> None:
    """Compute ranges, here or in workers, and join them as they come."""
    steps = len(run.iterations) - 1
    remaining = sum(_length(job, run) for job in jobs)
    with track(len(works) * steps, f"compute {run.name}", "step", progress) as bar:
        bar.update(len(works) * steps - remaining)
        if execution.executor is None and (execution.workers == 1 or len(jobs) < 2):
            _compute_here(jobs, works, problem, bar)
        else:
            _check_reference(problem)
            with _executor(execution, len(jobs)) as executor:
                _compute_in_workers(jobs, works, executor, run, bar)


def _compute_here(jobs: list[RangeJob], works: list[_SplitWork], problem: Problem, bar: "tqdm[Any]") -> None:
    """Compute one range after the other in this process."""
    for job in jobs:
        with one_thread():
            compute_range(job, problem, bar.update)
        _advance(works, job.split)


def _compute_in_workers(
    jobs: list[RangeJob], works: list[_SplitWork], executor: Executor, run: Run, bar: "tqdm[Any]"
) -> None:
    """Hand ranges to workers; on an interruption or an error, what is not begun is called off."""
    futures = {executor.submit(compute_range, job): job for job in jobs}
    try:
        for future in as_completed(futures):
            future.result()
            bar.update(_length(futures[future], run))
            _advance(works, futures[future].split)
    except BaseException:
        for future in futures:
            future.cancel()
        raise


def _advance(works: list[_SplitWork], split: str) -> None:
    """Join what has been computed of a split."""
    for work in works:
        if work.jobs[0].split == split:
            work.merger.advance()


def _finish(work: _SplitWork, store: Store) -> None:
    """Write the tables over all iterations, the mark that the split is done last."""
    job = work.jobs[0]
    work.merger.advance()
    if store.has_part("computations", job.name, job.split):
        return
    work.merger.write_tables()
    store.write_part("computations", {key: [value] for key, value in work.settings.items()}, job.name, job.split)


@contextmanager
def _executor(execution: Execution, jobs: int) -> Iterator[Executor]:
    """Give the caller's executor, or processes of our own."""
    if execution.executor is not None:
        yield execution.executor
        return
    # spawn: a forked process would inherit the parent's torch threads in an unknown state.
    with ProcessPoolExecutor(min(execution.workers, jobs), mp_context=get_context("spawn")) as pool:
        yield pool


def _check_reference(problem: Problem) -> None:
    """Raise when other processes could not build the problem."""
    if problem.reference is None:
        raise ArgumentError(
            "to compute in other processes the problem must be built by build_problem or named by the run; "
            "or use workers=1"
        )


def _length(job: RangeJob, run: Run) -> int:
    """Number of steps of a range."""
    inside = (run.iterations >= job.first) & (run.iterations < job.last)
    return int(inside.sum())
