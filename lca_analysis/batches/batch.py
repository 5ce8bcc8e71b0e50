"""batch: many runs from recording to report, and a summary of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lca_analysis.batches.marks import Marks, keys_of
from lca_analysis.batches.outcome import OPEN, Outcome, failure
from lca_analysis.batches.plan import Job, Plan, make_plan
from lca_analysis.batches.pool import carry_out
from lca_analysis.batches.summary import write_summary
from lca_analysis.batches.together import put_together
from lca_analysis.errors import ArgumentError, LcaError, MismatchError
from lca_analysis.progress import track
from lca_analysis.store import Store, open_store
from lca_analysis.trajectory import Run, open_run


@dataclass(frozen=True)
class BatchResult:
    """What a batch came to.

    Attributes
    ----------
    outcomes : list of Outcome
        Of every run, in the order in which they were named.
    store, out : Path
        Folders of the tables and of the reports.
    page : Path
        The summary page; ``summary.csv`` and ``summary.parquet`` lie beside it.
    """

    outcomes: list[Outcome]
    store: Path
    out: Path
    page: Path

    @property
    def failed(self) -> list[Outcome]:
        """The runs that failed."""
        return [outcome for outcome in self.outcomes if outcome.failed]

    @property
    def did_nothing(self) -> bool:
        """Whether every run that did not fail was up to date already."""
        return not any(outcome.did for outcome in self.outcomes)


def batch(
    runs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    store: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    workers: int = 0,
    progress: bool | None = None,
    **settings: Any,
) -> BatchResult:
    """Compute, analyze and report many runs, several at a time, and summarise them.

    What an earlier call has finished with the same inputs and settings is not done again: a stage of a run is stale
    when the run (its identity and how far it is committed), its settings, the version of this package, or the files
    that the stage wrote are not those of the time when it ended. A run that fails does not stop the others.

    Parameters
    ----------
    runs : path, pattern, or sequence of them
        Run folders, patterns such as ``"runs/*"``, folders of runs; or one batch file (``.toml``).
    store, out : path, optional
        Folders of the tables and of the reports; by default those of the batch file, or "store" and "report".
    workers : int
        Processes; 0 takes one per core. Tables and reports do not depend on it.
    progress : bool, optional
        True shows a progress bar, False hides it, None shows it on a terminal only.
    **settings
        Settings of every run, see `RunSettings` and `ComputeOptions`: problem, arguments, splits, check_data, seed,
        rule, tolerance, max_pieces, …

    Returns
    -------
    BatchResult
        What became of every run; look at ``failed``.

    Raises
    ------
    NotFoundError, FormatError
        A pattern matches nothing, the batch file cannot be read, or `store` is not a store.
    ArgumentError
        A setting cannot be used.
    """
    if workers < 0:
        raise ArgumentError(f"workers must be 0 (one per core) or more, not {workers}")
    targets = [runs] if isinstance(runs, str | os.PathLike) else list(runs)
    plan = make_plan([os.fspath(target) for target in targets], _text(store), _text(out), settings)
    Path(plan.out).mkdir(parents=True, exist_ok=True)  # where that cannot be, say so before the work
    opened = open_store(plan.store, create=True)
    outcomes = _settle(plan, opened)
    todo = [job for job in plan.jobs if job.path not in outcomes]
    with track(len(plan.jobs), "batch", "run", progress) as bar:
        bar.update(len(outcomes))
        for outcome in carry_out(plan, todo, workers or os.cpu_count() or 1):
            outcomes[outcome.path] = outcome
            bar.update()
    ordered = [outcomes[job.path] for job in plan.jobs]
    compared = put_together(opened, Path(plan.out), ordered)
    page = write_summary(opened, Path(plan.out), ordered, compared)
    return BatchResult(ordered, Path(plan.store), Path(plan.out), page)


def _text(path: str | os.PathLike[str] | None) -> str | None:
    """Give a path as text."""
    return None if path is None else os.fspath(path)


def _settle(plan: Plan, store: Store) -> dict[str, Outcome]:
    """Tell what needs no process: runs that cannot be opened, share a name, or are up to date."""
    outcomes: dict[str, Outcome] = {}
    opened: dict[str, Run] = {}
    for job in plan.jobs:
        try:
            opened[job.path] = open_run(job.path)
        except (LcaError, OSError) as error:
            outcomes[job.path] = failure(job.path, Path(job.path).name, OPEN, error)
    for job in plan.jobs:
        if job.path in opened:
            run = opened[job.path]
            others = [path for path, other in opened.items() if other.name == run.name and path != job.path]
            if others:
                outcomes[job.path] = failure(job.path, run.name, OPEN, _twins(run, others))
            elif _is_fresh(plan, store, job, run):
                outcomes[job.path] = Outcome(job.path, run.name)
    return outcomes


def _twins(run: Run, others: list[str]) -> MismatchError:
    """Say that runs share a name."""
    return MismatchError(
        f"the run's name {run.name!r} is also that of {', '.join(others)}; rename their folders, or name the runs when "
        "recording, or use a store for each"
    )


def _is_fresh(plan: Plan, store: Store, job: Job, run: Run) -> bool:
    """Whether everything of a run is up to date."""
    _, keys = keys_of(run, job.settings)
    return not Marks(store, run.name, Path(plan.out)).stale(keys)
