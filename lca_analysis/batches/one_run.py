"""One run of a batch: computed, analyzed and reported as far as it is stale."""

import warnings
from collections.abc import Callable
from pathlib import Path

from lca_analysis.allocation import Summary, compute
from lca_analysis.analysis import analyze
from lca_analysis.batches.marks import Marks, keys_of
from lca_analysis.batches.outcome import ANALYZE, COMPUTE, OPEN, REPORT, Outcome, failure
from lca_analysis.batches.plan import Job
from lca_analysis.batches.settings import RunSettings
from lca_analysis.report.build import report
from lca_analysis.store import open_store
from lca_analysis.trajectory import ProblemReference, Run, open_run


def process_run(job: Job, store: str, out: str, workers: int = 1) -> Outcome:
    """Carry out the stale stages of a run; what fails is told, not raised.

    Parameters
    ----------
    job : Job
        The run.
    store, out : str
        Folders of the tables and of the reports.
    workers : int
        Processes of the computation.

    Returns
    -------
    Outcome
        What was done, and what failed.
    """
    did: list[str] = []
    name, stage = Path(job.path).name, OPEN
    try:
        run = open_run(job.path)
        name = run.name
        marks = Marks(open_store(store, create=True), name, Path(out))
        begun, keys = keys_of(run, job.settings)
        with marks.held(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            for stage in marks.stale(keys):
                if stage == COMPUTE:
                    marks.begin(begun)
                _ACTIONS[stage](run, job.settings, marks, workers)
                marks.finish(stage, keys[stage])
                did.append(stage)
    except Exception as error:
        return failure(job.path, name, stage, error, tuple(did))
    notes = [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]
    return Outcome(job.path, name, tuple(did), tuple(dict.fromkeys(notes)))


def _compute(run: Run, settings: RunSettings, marks: Marks, workers: int) -> Summary:
    """Compute a run."""
    problem = None if settings.problem is None else ProblemReference(settings.problem, settings.arguments)
    splits = None if settings.splits is None else list(settings.splits)
    return compute(
        run.path,
        marks.store.path,
        problem,
        splits,
        progress=False,
        workers=workers,
        check_data=settings.check_data,
        **vars(settings.options),
    )


def _analyze(run: Run, settings: RunSettings, marks: Marks, workers: int) -> None:
    """Analyze a run."""
    options = settings.of_analyze()
    analyze(marks.store, run.name, None, options.pop("seed"), False, **options)


def _report(run: Run, settings: RunSettings, marks: Marks, workers: int) -> None:
    """Report a run; its page links to the batch's."""
    report(marks.store, marks.out, run=run.name, progress=False, index=True)


_ACTIONS: dict[str, Callable[[Run, RunSettings, Marks, int], object]] = {
    COMPUTE: _compute,
    ANALYZE: _analyze,
    REPORT: _report,
}
