"""The frames behind the figures, by name: what is drawn, and what lies beside the page as CSV and Parquet."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from lca_analysis.errors import NotFoundError
from lca_analysis.report import sources as frames
from lca_analysis.report.quantities import LAG, NET_LCA, SHARED_PEAKS
from lca_analysis.report.sources import Sources

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
