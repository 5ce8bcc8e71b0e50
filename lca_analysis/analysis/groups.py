"""Runs by configuration: which repeat each other, what each came to, and which cannot be used, and why."""

import json
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lca_analysis.analysis.analysed_values import analysed_values
from lca_analysis.analysis.layer_series import read_layer_series
from lca_analysis.analysis.rows import EVERY_CLASS
from lca_analysis.errors import LcaError, NotFoundError
from lca_analysis.store import Store

PARTS = ("lca_momentum", "lca_decay", "lca_gradient")
LOSS, NET, HELPING = "loss_last", "net_lca", "percent_helping"

Key = tuple[str, str | None]
"""A quantity and its layer; None: the network."""

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class RunOutcome:
    """What one run came to.

    Attributes
    ----------
    run : str
        Its name.
    group : str
        Its configuration; the run's own name where it has none.
    problem : str
        What was trained: the problem with its arguments, without the seed.
    seed : tuple of (int or None)
        Seeds of the training and of the initial weights; None where unknown.
    created : str
        When the recording began.
    iterations : int
        Steps.
    values : dict of (str, str or None) to float
        Quantities by name and layer; empty where the run cannot be used.
    cautions : tuple of str
        What makes its numbers less than those of a lossless recording of every iteration.
    trouble : str, optional
        Why it cannot be used.
    """

    run: str
    group: str
    problem: str
    seed: tuple[int | None, int | None]
    created: str
    iterations: int
    values: dict[Key, float]
    layers: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    trouble: str | None = None


@dataclass(frozen=True)
class Group:
    """The runs of one configuration.

    Attributes
    ----------
    name : str
        The configuration.
    used : tuple of RunOutcome
        Independent repeats of the same length.
    left_out : tuple of RunOutcome
        The others; `trouble` says why.
    """

    name: str
    used: tuple[RunOutcome, ...]
    left_out: tuple[RunOutcome, ...] = field(default=())

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers of any run, in the order of depth of the first that has them."""
        return tuple(dict.fromkeys(layer for run in self.used for layer in run.layers))

    @property
    def problem(self) -> str:
        """What was trained."""
        return (*self.used, *self.left_out)[0].problem

    @property
    def created(self) -> str:
        """When its first run was recorded."""
        return min(run.created for run in (*self.used, *self.left_out))

    def values(self, quantity: str, layer: str | None) -> Reals:
        """Give a quantity of each used run; NaN where a run does not have it."""
        return np.array([run.values.get((quantity, layer), np.nan) for run in self.used], np.float64)

    @property
    def note(self) -> str | None:
        """Name the runs that are left out, and those with cautions."""
        parts = [f"left out: {run.run} ({run.trouble})" for run in self.left_out]
        parts += [f"with care: {run.run} ({'; '.join(run.cautions)})" for run in self.used if run.cautions]
        return "; ".join(parts) or None


def read_groups(store: Store, split: str) -> list[Group]:
    """Read all runs of a store and group them by configuration.

    Left out, and named, are runs that are not computed to their end for this split, that cannot be read, whose loss
    change is not finite, that are shorter or longer than most of their group, or repeat a seed.

    Parameters
    ----------
    store : Store
        The store.
    split : str
        Which split.

    Returns
    -------
    list of Group
        By name.
    """
    outcomes = [read_outcome(store, run, split) for run in store.runs()]
    names = sorted({outcome.group for outcome in outcomes})
    return [_group(name, [outcome for outcome in outcomes if outcome.group == name]) for name in names]


def _group(name: str, outcomes: list[RunOutcome]) -> Group:
    """Tell the usable runs of a configuration from the others."""
    usable = [outcome for outcome in outcomes if outcome.trouble is None]
    counts = Counter(outcome.iterations for outcome in usable)
    length = max(counts, key=lambda count: (counts[count], count), default=0)
    used: list[RunOutcome] = []
    left_out = [outcome for outcome in outcomes if outcome.trouble is not None]
    for outcome in usable:
        twins = [other.run for other in used if other.seed == outcome.seed and None not in outcome.seed]
        trouble = None
        if outcome.iterations != length:
            trouble = f"it has {outcome.iterations} iterations, most of the group have {length}"
        elif outcome.problem != usable[0].problem:
            trouble = f"it trains {outcome.problem}, others of the group {usable[0].problem}"
        elif twins:
            trouble = f"it has the same seed as {twins[0]}"
        if trouble is None:
            used.append(outcome)
        else:
            left_out.append(replace(outcome, trouble=trouble))
    return Group(name, tuple(used), tuple(left_out))


def read_outcome(store: Store, run: str, split: str) -> RunOutcome:
    """Read what one run came to; trouble is told, not raised.

    Parameters
    ----------
    store : Store
        The store.
    run, split : str
        Which run and split.

    Returns
    -------
    RunOutcome
        The run.
    """
    base = RunOutcome(run, run, "", (None, None), "", 0, {})
    try:
        base = _described(store, run, base)
        if not store.has_part("computations", run, split):
            return replace(base, trouble=f"it is not computed to its end for {split}")
        values, layers = _values(store, run, split)
    except LcaError as error:
        return replace(base, trouble=str(error))
    nonfinite = not np.isfinite([value for (name, _), value in values.items() if name in (LOSS, NET)]).all()
    trouble = "its loss or loss change is not finite in some iterations" if nonfinite else None
    iterations = int(store.table("computations", run=run, split=split)["iterations"].iloc[0])
    return replace(base, values=values, layers=layers, iterations=iterations, trouble=trouble)


def _described(store: Store, run: str, base: RunOutcome) -> RunOutcome:
    """Say what a run is: its configuration, its seeds, and its cautions."""
    try:
        row = store.table("runs", run=run).iloc[0]
    except NotFoundError:
        return replace(base, cautions=("the store does not say how it was recorded",))
    arguments = json.loads(row["arguments"])
    model_seed = arguments.pop("seed", None)
    seed = None if pd.isna(row["seed"]) else int(row["seed"])
    cautions = [] if pd.isna(row["cautions"]) else list(json.loads(row["cautions"]))
    if not row["lossless"] and not cautions:
        cautions.append("it was recorded with a bounded error")
    if not pd.isna(row["source"]) and not cautions:
        cautions.append(f"it was imported from {row['source']}")
    if seed is None:
        cautions.append("its seed is unknown: it is taken for an independent repeat")
    told = " ".join([row["problem"], *(f"{name}={value}" for name, value in sorted(arguments.items()))])
    return replace(
        base,
        group=run if pd.isna(row["group"]) else str(row["group"]),
        problem=told,
        seed=(seed, model_seed if isinstance(model_seed, int) else 0 if seed is not None else None),
        created=str(row["created"]),
        cautions=tuple(cautions),
    )


def _values(store: Store, run: str, split: str) -> tuple[dict[Key, float], tuple[str, ...]]:
    """Reduce a run to one number for each quantity and layer."""
    series = read_layer_series(store, run, split)
    steps = store.table("iterations", run=run, split=split, class_=EVERY_CLASS, columns=["iteration", "loss_after"])
    values: dict[Key, float] = {(LOSS, None): float(steps.sort_values("iteration")["loss_after"].iloc[-1])}
    counts = series.n_helping, series.n_hurting
    values[NET, None] = float(series.lca.sum())
    values[HELPING, None] = _percent(*(np.nansum(count, axis=1) for count in counts))
    for place, layer in enumerate(series.layers):
        values[NET, layer] = float(series.lca[:, place].sum())
        values[HELPING, layer] = _percent(*(count[:, place] for count in counts))
    rows = store.table("layers", run=run, split=split, class_=EVERY_CLASS, columns=["layer", *PARTS])
    for name, of_layer in rows.groupby("layer"):
        values |= {(f"net_{part}", str(name)): float(of_layer[part].to_numpy(np.float64).sum()) for part in PARTS}
    return values | analysed_values(store, run, split), series.layers


def _percent(helping: Reals, hurting: Reals) -> float:
    """Average the percentage of helping parameters over the iterations in which any moved the loss."""
    moved = helping + hurting > 0
    return float(100 * np.mean(helping[moved] / (helping + hurting)[moved])) if moved.any() else np.nan
