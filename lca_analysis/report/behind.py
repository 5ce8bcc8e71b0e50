"""The frames behind the figures, by name: what is drawn, and what lies beside the page as CSV and Parquet."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from lca_analysis.errors import NotFoundError
from lca_analysis.report import sources as frames
from lca_analysis.report.quantities import EXAMPLE, LAG, NET_LCA, SHARED_PEAKS
from lca_analysis.report.sources import EVERY_CLASS, Sources

MOST_CLASS_LANES = 240
FEWEST_CLASSES, MOST_CLASSES = 4, 20
MOST_STEPS = 200

Frames = dict[str, pd.DataFrame]


def table(name: str, of: str) -> Callable[[Sources], Frames]:
    """Make the reader of a table that is drawn as it is."""
    return lambda sources: {name: sources.table(of)}


def loss(sources: Sources) -> Frames:
    """Give the losses, and the residuals with their tolerance."""
    tolerance = float(sources.table("computations")["tolerance"].iloc[0])
    return {
        "loss": frames.loss_points(sources),
        "residual": frames.steps_of_splits(sources).assign(tolerance=tolerance),
    }


def cumulative(sources: Sources) -> Frames:
    """Give the cumulative LCA of all splits."""
    return {"cumulative": frames.cumulative_of_splits(sources)}


def histogram(sources: Sources) -> Frames:
    """Give the bins of the network."""
    return {"histogram": frames.histogram_of_network(sources)}


def units(sources: Sources) -> Frames:
    """Give the units that are drawn."""
    return {"units": frames.largest_units(sources)}


def peaks(sources: Sources) -> Frames:
    """Give the moments of learning."""
    return {"peaks": frames.peaks_with_counts(sources)}


def class_peaks(sources: Sources) -> Frames:
    """Give the moments of learning of single classes, those that learned most where there are many."""
    rows = sources.every_class("results_peaks")
    rows = rows[rows["class"] != EVERY_CLASS]
    if rows.empty:
        raise NotFoundError("there are no numbers for single classes; lca compute --classes makes them")
    count = int(np.clip(MOST_CLASS_LANES // rows["layer"].nunique(), FEWEST_CLASSES, MOST_CLASSES))
    most = rows.groupby("class")["lca"].sum().sort_values(kind="stable").index[:count]
    rows = rows[rows["class"].isin(most)]
    together = rows.groupby(["class", "iteration"])["layer"].transform("nunique")
    return {"class_peaks": rows.assign(layers=together)}


def traces(sources: Sources) -> Frames:
    """Give the series of the parameters that the analysis chose as examples, from the middle of a long run."""
    chosen = sources.result("results_oscillation", EXAMPLE).dropna(subset=["estimate"])
    if chosen.empty:
        raise NotFoundError("no parameter was tested for oscillation")
    parts = pd.concat([_trace(sources, row) for _, row in chosen.iterrows()], ignore_index=True)
    return {"traces": parts.sort_values("net", kind="stable", ignore_index=True)}


def _trace(sources: Sources, row: "pd.Series[Any]") -> pd.DataFrame:
    """Read the series of one parameter, which is named tensor[index]."""
    tensor, _, index = str(row["subject"]).rstrip("]").rpartition("[")
    series = sources.store.table("series", run=sources.run, split=sources.split, layer=row["layer"])
    rows = series[(series["tensor"] == tensor) & (series["index"] == int(index))]
    start = max(0, (len(rows) - MOST_STEPS) // 2)
    about = {
        "parameter": row["subject"],
        "net": rows["lca"].sum(),
        "period": row["estimate"],
        "p_adjusted": row["p_adjusted"],
    }
    shown = rows.iloc[start : start + MOST_STEPS][["iteration", "weight", "path_gradient", "lca"]]
    return shown.assign(**about)


def layers(sources: Sources) -> Frames:
    """Give gross and net LCA by layer; without an interval where the analysis has none."""
    totals = frames.layer_totals(sources)
    ends = pd.DataFrame({"layer": totals["layer"], "low": np.nan, "high": np.nan})
    if sources.has("results_hurting", sources.split):
        rows = sources.result("results_hurting", NET_LCA)
        # A layer has a row for each method and alternative; the interval of its HAC test comes first.
        tested = rows[rows["subject"].isna() & rows["layer"].notna()].sort_values(["method", "p"], kind="stable")
        ends = tested[["layer", "low", "high"]]
    frame = totals.merge(ends.drop_duplicates("layer"), on="layer", how="left")
    return {"layers": frame.assign(estimate=frame["lca"])}


def parts(sources: Sources) -> Frames:
    """Give the parts of the update, where the computation divided it."""
    totals = frames.layer_totals(sources)
    if totals[list(frames.PARTS)].isna().all(axis=None):
        raise NotFoundError("the update was not divided, for want of recorded hyper-parameters")
    return {"parts": totals}


def lag(sources: Sources) -> Frames:
    """Give the cross-correlations, and the lags with the momentum of the optimizer."""
    curve = sources.table("results_lag_curve")
    lags = sources.result("results_oscillation", LAG).dropna(subset=["layer"]).drop_duplicates("layer")
    names = pd.DataFrame({"layer": list(dict.fromkeys(curve["layer"]))})
    run = sources.store.table("runs", run=sources.run).iloc[0]
    momentum = float(run["momentum"]) if run["optimizer"] == "SGD" and not pd.isna(run["momentum"]) else np.nan
    return {"lag_curve": curve, "lag": names.merge(lags, on="layer", how="left").assign(momentum=momentum)}


def pairs(sources: Sources) -> Frames:
    """Give the peaks that pairs of layers share."""
    rows = sources.result("results_synchronization", SHARED_PEAKS).dropna(subset=["subject", "estimate"])
    names = rows["subject"].str.split("|", n=1, expand=True)
    if rows.empty or names.shape[1] < 2:
        raise NotFoundError("no pair of layers was tested")
    frame = pd.DataFrame({"first": names[0], "second": names[1], "estimate": rows["estimate"]}).dropna()
    depth = {layer: place for place, layer in enumerate(sources.layers)}
    order = frame[["first", "second"]].map(lambda layer: depth.get(layer, len(depth)))
    ranked = order.sort_values(["first", "second"], kind="stable").index
    return {"synchronization": frame.loc[ranked].reset_index(drop=True)}
