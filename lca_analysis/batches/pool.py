"""The runs of a batch in worker processes, such that one that dies takes no other with it."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from lca_analysis.allocation import one_thread_worker
from lca_analysis.batches.one_run import process_run
from lca_analysis.batches.outcome import COMPUTE, Outcome, failure
from lca_analysis.batches.plan import Job, Plan
from lca_analysis.errors import LcaError
from lca_analysis.processes import ctrl_c_off, worker_pool


def carry_out(plan: Plan, jobs: list[Job], workers: int) -> Iterator[Outcome]:
    """Process runs, as many at a time as there are workers.

    Parameters
    ----------
    plan : Plan
        The batch.
    jobs : list of Job
        Those of its runs that have something to do.
    workers : int
        Processes; those that are more than the runs help to compute a run.

    Yields
    ------
    Outcome
        Of each run, as it ends. A run whose process dies is tried once more by itself.
    """
    waiting = deque(jobs)
    while waiting:
        suspects = yield from _together(plan, waiting, min(workers, len(waiting)), max(1, workers // len(waiting)))
        for job in suspects:
            yield _alone(plan, job)


def _together(plan: Plan, waiting: deque[Job], workers: int, inner: int) -> Generator[Outcome, None, list[Job]]:
    """Process waiting runs; ends early, and returns the runs under way, when a process dies."""
    running: dict[Future[Outcome], Job] = {}
    with worker_pool(workers, one_thread_worker) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    with ctrl_c_off():
                        future = pool.submit(process_run, waiting[0], plan.store, plan.out, inner)
                    running[future] = waiting.popleft()
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    outcome = future.result()
                    del running[future]
                    yield outcome
        except BrokenProcessPool:
            return list(running.values())
    return []


def _alone(plan: Plan, job: Job) -> Outcome:
    """Process one run in a process of its own; when that dies too, it is this run's fault."""
    try:
        with worker_pool(1, one_thread_worker) as pool:
            with ctrl_c_off():
                future = pool.submit(process_run, job, plan.store, plan.out)
            return future.result()
    except BrokenProcessPool:
        died = LcaError("its process died, perhaps for want of memory; what it had finished is kept")
        return failure(job.path, Path(job.path).name, COMPUTE, died)
