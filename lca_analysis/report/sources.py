"""The frames that the figures draw: selected, ordered by depth, and rolled up from a run's tables.

Nothing is estimated here. Sums of LCA and of counts, which add over tensors, layers and spans of iterations, are all.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lca_analysis.errors import NotFoundError
from lca_analysis.store import Store

MAIN_SPLIT = "train"
EVERY_CLASS = -1
PARTS = ("lca_gradient", "lca_momentum", "lca_decay")
MOST_UNIT_ROWS = 240
MOST_UNIT_COLUMNS = 600
FEWEST_UNITS, MOST_UNITS = 4, 24


@dataclass(frozen=True)
class Sources:
    """The tables of one run, read when a figure needs them.

    Attributes
    ----------
    store : Store
        The store.
    run : str
        Name of the run.
    """

    store: Store
    run: str

    @cached_property
    def splits(self) -> list[str]:
        """The run's splits, training first."""
        return sorted(self.store.splits(self.run), key=lambda split: (split != MAIN_SPLIT, split))

    @property
    def split(self) -> str:
        """The split that most figures draw: train, or the first; raises NotFoundError where nothing was computed."""
        if not self.splits:
            raise NotFoundError(f"the run {self.run!r} in {self.store.path} was not computed; run: lca compute")
        return self.splits[0]

    @cached_property
    def layers(self) -> list[str]:
        """The layers, from the input to the output."""
        return list(self.store.table("layers_index", run=self.run)["layer"])

    def has(self, name: str, split: str) -> bool:
        """Say whether a table is there for the run and split."""
        return name in self.store.tables(self.run, split)

    def table(self, name: str, split: str | None = None) -> pd.DataFrame:
        """Read a table of the run for one split, all classes together, layers by depth."""
        frame = self.every_class(name, split)
        return frame[frame["class"] == EVERY_CLASS].reset_index(drop=True) if "class" in frame else frame

    def every_class(self, name: str, split: str | None = None) -> pd.DataFrame:
        """Read a table of the run for one split, with the rows of single classes, layers by depth."""
        frame = self.store.table(name, run=self.run, split=split or self.split)
        return by_depth(frame, self.layers).reset_index(drop=True) if "layer" in frame else frame

    def result(self, name: str, quantity: str) -> pd.DataFrame:
        """Read the rows of one quantity of a table of results."""
        frame = self.table(name)
        return frame[frame["quantity"] == quantity]


def by_depth(frame: pd.DataFrame, layers: list[str]) -> pd.DataFrame:
    """Order rows as their layers are, the network's own first, keeping the order within a layer."""
    depth = {layer: place for place, layer in enumerate(layers)}
    place = frame["layer"].map(lambda layer: -1 if pd.isna(layer) else depth.get(layer, len(depth)))
    return frame.assign(_depth=place).sort_values("_depth", kind="stable").drop(columns="_depth")


def loss_points(sources: Sources) -> pd.DataFrame:
    """Give the loss at every recorded point, and the loss rebuilt from the running sum of what was allocated."""
    parts = []
    for split in sources.splits:
        steps = sources.table("iterations", split)
        first = steps["loss_before"].iloc[:1].to_numpy()
        points = {
            "split": split,
            "iteration": np.append(steps["iteration"].iloc[:1], steps["iteration_next"]),
            "loss": np.append(first, steps["loss_after"]),
            "rebuilt": first + np.append(0.0, np.cumsum(steps["allocated"].to_numpy())),
        }
        parts.append(pd.DataFrame(points))
    return pd.concat(parts, ignore_index=True)


def steps_of_splits(sources: Sources) -> pd.DataFrame:
    """Give the rows of ``iterations`` of all splits below each other."""
    return pd.concat(
        [sources.table("iterations", split).assign(split=split) for split in sources.splits], ignore_index=True
    )


def cumulative_of_splits(sources: Sources) -> pd.DataFrame:
    """Give the rows of ``results_cumulative`` of all splits that have them."""
    splits = [split for split in sources.splits if sources.has("results_cumulative", split)]
    if not splits:
        raise NotFoundError("no results_cumulative")
    parts = [sources.table("results_cumulative", split).assign(split=split) for split in splits]
    return pd.concat(parts, ignore_index=True)


def histogram_of_network(sources: Sources) -> pd.DataFrame:
    """Add the bins of all layers."""
    rows = sources.table("histogram")
    if not rows["count"].any():
        raise NotFoundError("no step has a finite LCA")
    return rows.groupby(["bin", "lower", "upper"], as_index=False)[["count", "lca"]].sum()


def layer_totals(sources: Sources) -> pd.DataFrame:
    """Add the LCA of every layer over tensors and iterations, with the parts of the update where they are known."""
    rows = sources.table("layers")
    return (
        rows.groupby("layer", sort=False)[["lca", "lca_helping", "lca_hurting", *PARTS]].sum(min_count=1).reset_index()
    )


def peaks_with_counts(sources: Sources) -> pd.DataFrame:
    """Give the moments of learning with the number of layers that have one in the same iteration."""
    rows = sources.table("results_peaks")
    return rows.assign(layers=rows.groupby("iteration")["layer"].transform("nunique"))


def largest_units(sources: Sources) -> pd.DataFrame:
    """Give the units that moved the loss most in every layer, from the most helping to the most hurting."""
    count = int(np.clip(MOST_UNIT_ROWS // max(len(sources.layers), 1), FEWEST_UNITS, MOST_UNITS))
    parts = []
    for layer in sources.layers:
        rows = sources.store.table("units", run=sources.run, split=sources.split, layer=layer)
        if not rows.empty:
            parts.append(_few_units(rows, count))
    if not parts:
        raise NotFoundError("no units")
    return pd.concat(parts, ignore_index=True)


def _few_units(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Keep a layer's units of largest total LCA, summed over spans of iterations when there are many."""
    totals = rows.groupby("unit")["lca"].sum()
    kept = totals[totals.abs().sort_values(ascending=False, kind="stable").index[:count]].sort_values()
    rows = rows[rows["unit"].isin(kept.index)]
    starts = np.sort(rows["iteration"].unique())
    span = -(-len(starts) // MOST_UNIT_COLUMNS)
    begins = starts[(np.searchsorted(starts, rows["iteration"]) // span) * span]
    few = rows.assign(iteration=begins).groupby(["layer", "unit", "iteration"])["lca"].sum(min_count=1)
    wide = few.unstack("iteration").reindex(kept.index, level="unit")
    return pd.DataFrame({"lca": wide.stack(future_stack=True)}).reset_index()
