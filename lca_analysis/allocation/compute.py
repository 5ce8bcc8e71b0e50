"""compute: the loss change allocation of a whole run, range by range, into the store."""

import os
import time
from typing import Any

from lca_analysis.allocation.about import RUN_TABLES, write_run_tables
from lca_analysis.allocation.claims import check_run, claim, is_other_run, only_computation
from lca_analysis.allocation.directions import fingerprint_of, load_directions
from lca_analysis.allocation.evaluator import SplitLoss, one_thread
from lca_analysis.allocation.execution import Execution, SplitWork, compute_all
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.merging import RangeMerger
from lca_analysis.allocation.options import ComputeOptions
from lca_analysis.allocation.preparation import check_data, choose_splits, find_problem, settings_of, widened
from lca_analysis.allocation.ranges import RangeJob
from lca_analysis.allocation.summary import Summary, summarize_split
from lca_analysis.errors import ArgumentError, NumericalError
from lca_analysis.memory import give_back
from lca_analysis.problems import Problem
from lca_analysis.store import Store, open_store
from lca_analysis.trajectory import ProblemReference, Run, open_run


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
        What the tables depend on, see `ComputeOptions`: rule, tolerance, max_pieces, match, elements, classes,
        directions, device, sample_seed, range_length; and how the work is done, see `Execution`: workers, executor,
        check_data, overwrite.

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
    settings, execution = _divide(options)
    opened = open_run(run)
    if len(opened.iterations) < 2:
        raise NumericalError(f"{opened.path} holds {len(opened.iterations)} recorded point(s): no step to allocate")
    built = find_problem(opened, problem)
    chosen = choose_splits(built, splits)
    if execution.check_data:
        check_data(opened, built, chosen)
    layout, basis = _check_fit(opened, built, chosen, settings)
    give_back()
    opened_store = open_store(store, create=True)
    with only_computation(opened_store, opened.name):
        works = _prepare(opened, opened_store, layout, built, chosen, settings, execution, basis)
        todo = [job for work in works for job in work.open_jobs]
        if todo or not all(opened_store.has_part(table, opened.name) for table in RUN_TABLES):
            write_run_tables(opened, layout, opened_store, opened.name)
        with one_thread():  # here too: threads of a given executor share the setting
            compute_all(todo, works, built, execution, progress)
        for work in works:
            work.finish(opened_store)
    ranges = sum(len(work.jobs) for work in works)
    summaries = tuple(summarize_split(opened_store, opened.name, split) for split in chosen)
    seconds = time.perf_counter() - begun
    return Summary(opened.name, summaries, len(todo), ranges - len(todo), seconds, widened(opened))


def _check_fit(run: Run, problem: Problem, splits: list[str], options: ComputeOptions) -> tuple[Layout, str]:
    """Evaluate a little of every split, so that what does not fit is refused before the store is touched.

    Gives the layout, and the fingerprint of the directions.
    """
    model = FlatModel(problem, run, options.match, options.device)
    start = model.flatten(run.weights(int(run.iterations[0]), model.names))
    with one_thread():
        for split in splits:
            SplitLoss(problem, split, model, options.classes).check(start)
    if options.directions is None:
        return model.layout, ""
    return model.layout, fingerprint_of(load_directions(options.directions, model.layout, model.dtype))


def _divide(options: dict[str, Any]) -> tuple[ComputeOptions, Execution]:
    """Tell what the tables depend on from how they are made."""
    execution = {name: options.pop(name) for name in list(options) if name in Execution.__dataclass_fields__}
    unknown = [name for name in options if name not in ComputeOptions.__dataclass_fields__]
    if unknown:
        known = [*ComputeOptions.__dataclass_fields__, *Execution.__dataclass_fields__]
        raise ArgumentError(f"compute has no option {unknown[0]!r}; it has: {', '.join(known)}")
    if options.get("directions") is not None:
        options["directions"] = os.path.abspath(options["directions"])
    return ComputeOptions(**options), Execution(**execution)


def _prepare(
    run: Run,
    store: Store,
    layout: Layout,
    problem: Problem,
    splits: list[str],
    options: ComputeOptions,
    execution: Execution,
    basis: str,
) -> list[SplitWork]:
    """Claim each split in the store, and cut it into ranges."""
    if execution.overwrite:
        _clear(store, run, splits)
    check_run(store, run)
    works = []
    for split in splits:
        jobs = _cut(run, store, problem, split, options)
        settings = settings_of(run, problem, split, options)
        claim(store, jobs, {**settings, "elements": options.elements, "directions": basis, "device": options.device})
        works.append(SplitWork(jobs, RangeMerger(store, jobs, layout), settings))
    return works


def _clear(store: Store, run: Run, splits: list[str]) -> None:
    """Delete what is to be replaced; all of another run that has this one's name."""
    for split in [None] if is_other_run(store, run) else splits:
        store.remove(run.name, split)


def _cut(run: Run, store: Store, problem: Problem, split: str, options: ComputeOptions) -> list[RangeJob]:
    """Cut a run into ranges of the same length, whoever computes them."""
    reference = problem.reference or ProblemReference("")
    points = run.iterations.tolist()
    paths = run.path if "://" in run.path else os.path.abspath(run.path), os.path.abspath(store.path)
    jobs = []
    for start in range(0, len(points) - 1, options.range_length):
        stretch = points[start : start + options.range_length + 1]
        ends = stretch[0], stretch[-1]
        jobs.append(RangeJob(*paths, run.name, reference, split, *ends, len(stretch) - 1, options))
    return jobs
