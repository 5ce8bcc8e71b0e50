"""Carrying out the ranges of a computation: here, in processes, or in a given executor."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from lca_analysis.allocation.bench import Shelf
from lca_analysis.allocation.claims import WHOLE
from lca_analysis.allocation.merging import RangeMerger
from lca_analysis.allocation.ranges import RangeJob, compute_range
from lca_analysis.errors import ArgumentError, LcaError
from lca_analysis.memory import give_back
from lca_analysis.problems import Problem
from lca_analysis.processes import ctrl_c_off, start_worker, worker_pool
from lca_analysis.progress import track
from lca_analysis.store import Store


@dataclass(frozen=True)
class Execution:
    """How a computation is carried out; the tables do not depend on it.

    Attributes
    ----------
    workers : int
        Processes, each with one thread; 1 computes in this one, 0 takes one per core.
    executor : concurrent.futures.Executor, optional
        Takes the iteration ranges instead; its workers must see the run, the store and the problem's code and data.
    check_data : bool
        Refuse data that are not those that the run was recorded with.
    overwrite : bool
        Replace what the store has of this run and these splits.
    """

    workers: int = 1
    executor: Executor | None = None
    check_data: bool = True
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Check the number of workers."""
        if not isinstance(self.workers, int) or self.workers < 0:
            raise ArgumentError(f"workers must be 0 (one per core) or more, not {self.workers!r}")


@dataclass(frozen=True)
class SplitWork:
    """The ranges of one split, what joins them, and the settings that they were begun with."""

    jobs: list[RangeJob]
    merger: RangeMerger
    settings: dict[str, Any]

    @property
    def open_jobs(self) -> list[RangeJob]:
        """Ranges that are not computed yet."""
        return [job for number, job in enumerate(self.jobs) if not self.merger.is_done(number)]

    def finish(self, store: Store) -> None:
        """Write the tables over all iterations, the mark that the split is done last."""
        job = self.jobs[0]
        self.merger.advance()
        if all(store.has_part(table, job.name, job.split) for table in WHOLE):
            return
        give_back()
        self.merger.write_tables()
        store.write_part("computations", {key: [value] for key, value in self.settings.items()}, job.name, job.split)


def compute_all(
    jobs: list[RangeJob], works: list[SplitWork], problem: Problem, execution: Execution, progress: bool | None
) -> None:
    """Compute ranges, here or in workers, and join them as they come.

    Parameters
    ----------
    jobs : list of RangeJob
        The ranges to compute.
    works : list of SplitWork
        Every split, with all of its ranges.
    problem : Problem
        The built problem.
    execution : Execution
        Where to compute.
    progress : bool, optional
        Show a progress bar; None shows it on a terminal only.

    Raises
    ------
    ArgumentError
        Other processes could not build the problem.
    LcaError
        A worker process died.
    """
    total = sum(job.steps for work in works for job in work.jobs)
    workers = min(execution.workers or os.cpu_count() or 1, len(jobs))
    with track(total, f"compute {works[0].jobs[0].name}", "step", progress) as bar:
        bar.update(total - sum(job.steps for job in jobs))
        if execution.executor is None and workers < 2:
            _compute_here(jobs, works, problem, bar)
        else:
            _check_reference(problem)
            # Workers of a given executor may outlive the computation, and nothing is to be left in them.
            work = _compute_in_own_worker if execution.executor is None else compute_range
            with _executor(execution.executor, workers) as executor:
                _compute_in_workers(jobs, works, executor, work, bar)


def _compute_here(jobs: list[RangeJob], works: list[SplitWork], problem: Problem, bar: "tqdm[Any]") -> None:
    """Compute one range after the other in this process."""
    shelf = Shelf()
    for job in jobs:
        compute_range(job, problem, bar.update, shelf)
        _advance(works, job.split)


def _compute_in_workers(
    jobs: list[RangeJob],
    works: list[SplitWork],
    executor: Executor,
    work: Callable[[RangeJob], None],
    bar: "tqdm[Any]",
) -> None:
    """Hand ranges to workers; on an interruption or an error, what is not begun is called off."""
    with ctrl_c_off():
        futures = {executor.submit(work, job): job for job in jobs}
    try:
        for future in as_completed(futures):
            future.result()
            bar.update(futures[future].steps)
            _advance(works, futures[future].split)
    except BrokenProcessPool as error:
        raise LcaError(
            "a worker process died, perhaps for want of memory; what was finished is kept: compute again, with fewer "
            "workers, to go on"
        ) from error
    except BaseException:
        if not isinstance(executor, ProcessPoolExecutor):
            for future in futures:
                future.cancel()
        raise


def _advance(works: list[SplitWork], split: str) -> None:
    """Join what has been computed of a split."""
    for work in works:
        if work.jobs[0].split == split:
            work.merger.advance()


@contextmanager
def _executor(given: Executor | None, workers: int) -> Iterator[Executor]:
    """Give the caller's executor, or processes of our own."""
    if given is not None:
        yield given
        return
    with worker_pool(workers, one_thread_worker) as pool:
        yield pool


def one_thread_worker() -> None:
    """Prepare a process of `worker_pool`: one thread, deaf to Ctrl-C, and ended by the death of its parent."""
    start_worker()
    torch.set_num_threads(1)


_SHELF = Shelf()


def _compute_in_own_worker(job: RangeJob) -> None:
    """Compute a range in a process that ends with the computation."""
    compute_range(job, shelf=_SHELF)


def _check_reference(problem: Problem) -> None:
    """Raise when other processes could not build the problem."""
    if problem.reference is None:
        raise ArgumentError(
            "to compute in other processes the problem must be built by build_problem or named by the run; "
            "or use workers=1"
        )
