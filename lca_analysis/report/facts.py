"""What the page says about a run beside its figures: main numbers, notes, how it was computed, and words."""

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lca_analysis.report.numbers import NONE, number
from lca_analysis.report.sources import Sources


@dataclass(frozen=True)
class Fact:
    """A label and its text."""

    label: str
    text: str


GLOSSARY = (
    Fact("LCA", "Loss Change Allocation: the part of a change of the loss that is due to one parameter's motion. The "
         "LCA of all parameters in a step adds up to the change of the loss in that step."),
    Fact("helping", "LCA below zero: the parameter's motion lowered the loss."),
    Fact("hurting", "LCA above zero: the parameter's motion raised the loss."),
    Fact("residual", "The change of the loss in a step less everything that was allocated: the error of the numerical "
         "integral. It is reported, and never spread over the parameters."),
    Fact("step", "What one iteration, or the span between two recorded iterations, changes of a parameter."),
    Fact("path gradient", "The mean of the gradient of the whole split's loss along a step. LCA is step × path "
         "gradient."),
    Fact("percent helping", "Parameters that help among those that help or hurt. Those that do neither are left out."),
    Fact("moment of learning", "An iteration in which a layer's LCA has one of its deepest local minima."),
    Fact("interval", "A range that the method would have cover the true value in the stated share of repetitions. "
         "Iterations follow each other, and the methods here allow for that."),
    Fact("p, adjusted", "The p-value after correction for the number of tests in its family."),
)  # fmt: skip


def subtitle(sources: Sources) -> str:
    """Say in a line what was trained."""
    run = _run(sources)
    settings = [("learning rate", run["learning_rate"]), ("momentum", run["momentum"])]
    parts = [
        str(run["problem"]),
        str(run["optimizer"] or "no optimizer"),
        *(f"{label} {value:g}" for label, value in settings if not pd.isna(value)),
        f"{number(run['iterations'])} recorded steps",
        f"{number(run['parameters'])} parameters in {number(len(sources.layers))} layers",
    ]
    return " · ".join(parts)


def tiles(sources: Sources) -> list[Fact]:
    """Give the main numbers: first and last loss of every split, and the largest residual."""
    found = []
    for split in sources.splits:
        steps = sources.table("iterations", split)
        first, last = steps["loss_before"].iloc[0], steps["loss_after"].iloc[-1]
        found.append(Fact(f"{split} loss", f"{number(first)} → {number(last)}"))
    return [*found, Fact("largest residual", _largest_residual(sources, sources.split))]


def notes(sources: Sources) -> list[str]:
    """Say what a reader must know before the findings."""
    run, found = _run(sources), []
    found += [f"{sentence[0].upper()}{sentence[1:]}." for sentence in _cautions(run)]
    if not run["complete"]:
        found.append("The recording of this run was not closed in order; this is what it holds up to its last point.")
    for split in sources.splits:
        status = sources.table("iterations", split)["status"].value_counts()
        if status.get("tolerance", 0):
            found.append(
                f"{split}: {number(status['tolerance'])} of {number(status.sum())} steps did not meet the tolerance"
                "; their residuals are in the first figure."
            )
        if status.get("nonfinite", 0):
            found.append(
                f"{split}: {number(status['nonfinite'])} of {number(status.sum())} steps had a loss or a gradient "
                "that was not finite, and have no LCA."
            )
    return found


def facts(sources: Sources) -> list[Fact]:
    """Give what one needs to compute the page again."""
    run = _run(sources)
    found = [
        Fact("problem", f"{run['problem']} {_json(run['arguments'])}".strip()),
        Fact("recording", _recording(run)),
        *(Fact("what the recording does to the statistics", sentence) for sentence in _cautions(run)),
        Fact("recorded", f"{run['created']}; run {run['run_id']}"),
        Fact("seed of the training", number(run["seed"])),
        Fact("recorded with", _json(run["versions"]) or NONE),
    ]
    for split in sources.splits:
        found += _computed(sources, split)
    return found


def _recording(run: "pd.Series[Any]") -> str:
    """Say how exact the recorded weights are, how far apart, and where they come from."""
    fraction, longest, source = (run.get(name) for name in ("error_fraction", "longest_step", "source"))
    exact = "exact to the bit" if run["lossless"] else "with a bounded error"
    if not run["lossless"] and not pd.isna(fraction):
        exact += f" of {fraction:.3g} of each weight's running mean step"
    every = "every iteration" if run["every"] == 1 else f"every {number(run['every'])} iterations"
    apart = "" if pd.isna(longest) or longest <= run["every"] else f", up to {number(longest)} apart"
    imported = "" if pd.isna(source) else f"; imported from {source}"
    return f"{exact}; {every}{apart}; preset {run['preset']}{imported}"


def _cautions(run: "pd.Series[Any]") -> list[str]:
    """Read what the recording or the import does to the statistics; stores of before say only whether it is lossy."""
    if not pd.isna(run.get("cautions")):
        return [str(sentence) for sentence in json.loads(run["cautions"])]
    return [] if run["lossless"] else ["the weights of this run were recorded with a bounded error, not exactly"]


def _computed(sources: Sources, split: str) -> list[Fact]:
    """Say how one split was computed."""
    row, steps = sources.table("computations", split).iloc[0], sources.table("iterations", split)
    return [
        Fact(
            f"{split}: rule",
            f"{row['rule']}; tolerance {row['tolerance']:g}{_relative(row)}, "
            f"at most {number(row['max_pieces'])} pieces; "
            f"gradients in {row['dtype']}; batch normalisation: {row['normalization']}",
        ),
        Fact(
            f"{split}: residual",
            f"at most {_largest_residual(sources, split)} in a step; {number(steps['residual'].sum())} over all steps"
            f"{_untilted(steps)}",
        ),
        Fact(f"{split}: error of a layer in a step", _layer_errors(sources, split)),
        Fact(
            f"{split}: evaluations",
            f"{number(steps['gradient_evaluations'].sum())} gradients over {number(row['examples'])} examples "
            f"in batches of {number(row['batch_size'])}",
        ),
        Fact(f"{split}: data (SHA-256)", str(row["fingerprint"])),
        Fact(f"{split}: sampling seed", number(row["sample_seed"])),
        Fact(f"{split}: versions", f"lca-analysis {row['package_version']}, torch {row['torch_version']}"),
    ]


def _relative(row: "pd.Series[Any]") -> str:
    """Write the relative tolerance; stores of before have none."""
    value = row.get("relative_tolerance")
    return "" if pd.isna(value) or not value else f", or {value:g} of the loss change where that is more"


def _layer_errors(sources: Sources, split: str) -> str:
    """Write the largest and the median estimate of a layer's error: the residual says nothing about single layers."""
    errors = sources.table("layers", split).groupby(["iteration", "layer"])["error_estimate"].sum(min_count=1)
    if errors.isna().all():
        return NONE
    return f"estimated at most {number(errors.max(), 2)}, median {number(errors.median(), 2)}"


def _largest_residual(sources: Sources, split: str) -> str:
    """Write the largest residual of a split."""
    return number(sources.table("iterations", split)["residual"].abs().max(), 2)


def _untilted(steps: pd.DataFrame) -> str:
    """Say what the residual would be if weights were not tilted to meet it; nothing of rules that never tilt."""
    if "untilted_residual" not in steps or steps["untilted_residual"].isna().all():
        return ""
    residual = steps["untilted_residual"]
    return (
        f"; without the tilt of the weights that makes it vanish, at most {number(residual.abs().max(), 2)} "
        f"and {number(residual.sum())}"
    )


def _run(sources: Sources) -> "pd.Series[Any]":
    """Read the run's row."""
    return sources.store.table("runs", run=sources.run).iloc[0]


def _json(text: object) -> str:
    """Write a JSON object as "name value, name value"."""
    return ", ".join(f"{name} {value}" for name, value in json.loads(str(text)).items())
