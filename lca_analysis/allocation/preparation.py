"""What must hold before anything is computed: the problem, the data and the settings are the run's."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from lca_analysis.allocation.flat_model import forget_weights
from lca_analysis.allocation.options import ComputeOptions
from lca_analysis.errors import ArgumentError, MismatchError
from lca_analysis.problems import Problem, build_problem
from lca_analysis.trajectory import ProblemReference, Run


def find_problem(run: Run, problem: str | ProblemReference | Problem | None) -> Problem:
    """Build the problem that is asked for, or the one that the run names.

    Raises
    ------
    MismatchError
        The run names none, or names code that came with the run.
    """
    if isinstance(problem, Problem):
        return problem
    if problem is not None:
        return build_without_weights(problem)
    recorded = run.manifest.problem
    if recorded is None:
        raise MismatchError(f"{run.path} does not say what it was trained on; name its problem with --problem")
    place = recorded.target.rpartition(":")[0]
    if place.endswith(".py") and Path(run.path).resolve() in Path(place).resolve().parents:
        raise MismatchError(
            f"{run.path} names {recorded.target}, a file inside the run itself: code that comes with a run is not "
            "executed; read it, and name it with --problem if you trust it"
        )
    return build_without_weights(recorded)


def build_without_weights(reference: str | ProblemReference) -> Problem:
    """Build a problem; its model forgets its weights, since those of the run take their place."""
    problem = build_problem(reference)
    forget_weights(problem.model)
    return problem


def choose_splits(problem: Problem, splits: str | list[str] | tuple[str, ...] | None) -> list[str]:
    """Check the names of splits; None means all of the problem's."""
    chosen = [splits] if isinstance(splits, str) else list(problem.splits) if splits is None else list(splits)
    for name in chosen:
        problem.split(name)
    if not chosen or len(set(chosen)) != len(chosen):
        raise ArgumentError(f"splits must name at least one split, each once, not {chosen}")
    return chosen


def check_data(run: Run, problem: Problem, splits: list[str]) -> None:
    """Raise MismatchError when a split is not the data that the run was recorded with."""
    recorded = run.manifest.problem.fingerprints if run.manifest.problem else {}
    for name in splits:
        if name in recorded and recorded[name] != fingerprint(problem, name):
            raise MismatchError(
                f"{run.path}: split {name!r} is not the data that the run was recorded with (fingerprint "
                f"{fingerprint(problem, name)[:12]}…, recorded {recorded[name][:12]}…); give the same data, or ask "
                "for other data by name (check_data=False, --other-data)"
            )


def fingerprint(problem: Problem, split: str) -> str:
    """Give the fingerprint of a split, computed at most once for a built problem."""
    known = problem.reference.fingerprints if problem.reference else {}
    return known.get(split) or problem.fingerprint(split)


def settings_of(run: Run, problem: Problem, split: str, options: ComputeOptions) -> dict[str, Any]:
    """Give the row of the `computations` table: everything that the tables of a split depend on."""
    return {
        "rule": options.rule,
        "tolerance": options.tolerance,
        "relative_tolerance": options.relative_tolerance,
        "max_pieces": options.max_pieces,
        "kept_gradients": options.kept_gradients,
        "normalization": problem.normalization,
        "batch_size": problem.batch_size,
        "examples": len(problem.split(split)[0]),
        "fingerprint": fingerprint(problem, split),
        "dtype": working_dtype(run),
        "sample_seed": options.sample_seed,
        "range_length": options.range_length,
        "classes": (problem.classes or 0) if options.classes else 0,
        "iterations": len(run.iterations) - 1,
        "torch_version": torch.__version__,
        "package_version": version("lca-analysis"),
    }


def widened(run: Run) -> tuple[str, ...]:
    """Say which parameters are computed in another precision than they were recorded in."""
    wide = working_dtype(run)
    others = dict.fromkeys(tensor.dtype for tensor in run.parameters if tensor.dtype != wide)
    return tuple(f"parameters recorded in {dtype} are computed with in {wide}" for dtype in others)


def working_dtype(run: Run) -> str:
    """Name the precision of the computation: double when a recorded parameter is, else single."""
    return "float64" if any(tensor.dtype == "float64" for tensor in run.parameters) else "float32"
