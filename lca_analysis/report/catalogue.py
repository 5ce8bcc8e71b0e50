"""Which figures a page has, in its order: what each shows, what it needs, and how it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lca_analysis.errors import NotFoundError
from lca_analysis.report import figures
from lca_analysis.report import sources as frames
from lca_analysis.report.quantities import LAG, NET_LCA, SHARED_PEAKS
from lca_analysis.report.sources import Sources


@dataclass(frozen=True)
class Drawing:
    """A figure of the page.

    Attributes
    ----------
    name : str
        Name of its files, and of its place on the page.
    title : str
        Its heading.
    caption : str
        What it shows and how it is read.
    tables : tuple of str
        The tables that it needs.
    draw : callable
        Draws it; raises NotFoundError where the tables hold nothing to draw.
    """

    name: str
    title: str
    caption: str
    tables: tuple[str, ...]
    draw: Callable[[Sources], Figure]


def _loss(sources: Sources) -> Figure:
    """Draw the loss and the residuals of all splits."""
    tolerance = float(sources.table("computations")["tolerance"].iloc[0])
    return figures.figure_loss(frames.loss_points(sources), frames.steps_of_splits(sources), tolerance)


def _helping(sources: Sources) -> Figure:
    """Draw percent helping over the iterations."""
    return figures.figure_helping(sources.table("results_helping_series"))


def _parameters(sources: Sources) -> Figure:
    """Draw how often each parameter helps."""
    return figures.figure_parameter_helping(sources.table("results_parameter_helping"))


def _layers(sources: Sources) -> Figure:
    """Draw gross and net LCA by layer; without an interval where the analysis has none."""
    totals = frames.layer_totals(sources)
    ends = pd.DataFrame({"layer": totals["layer"], "low": np.nan, "high": np.nan})
    if sources.has("results_hurting", sources.split):
        rows = sources.result("results_hurting", NET_LCA)
        # A layer has a row for each method and alternative; the interval of its HAC test comes first.
        tested = rows[rows["subject"].isna() & rows["layer"].notna()].sort_values(["method", "p"], kind="stable")
        ends = tested[["layer", "low", "high"]]
    frame = totals.merge(ends.drop_duplicates("layer"), on="layer", how="left")
    return figures.figure_layers(frame.assign(estimate=frame["lca"]))


def _parts(sources: Sources) -> Figure:
    """Draw the parts of the update, where the computation divided it."""
    totals = frames.layer_totals(sources)
    if totals[list(frames.PARTS)].isna().all(axis=None):
        raise NotFoundError("the update was not divided, for want of recorded hyper-parameters")
    return figures.figure_parts(totals)


def _lag(sources: Sources) -> Figure:
    """Draw cross-correlations and lags, beside the delay of the recorded momentum."""
    curve = sources.table("results_lag_curve")
    lags = sources.result("results_oscillation", LAG).dropna(subset=["layer"]).drop_duplicates("layer")
    names = pd.DataFrame({"layer": list(dict.fromkeys(curve["layer"]))})
    run = sources.store.table("runs", run=sources.run).iloc[0]
    momentum = float(run["momentum"]) if run["optimizer"] == "SGD" and not pd.isna(run["momentum"]) else None
    return figures.figure_lag(curve, names.merge(lags, on="layer", how="left"), momentum)


def _pairs(sources: Sources) -> Figure:
    """Draw the peaks that pairs of layers share."""
    rows = sources.result("results_synchronization", SHARED_PEAKS).dropna(subset=["subject", "estimate"])
    pairs = rows["subject"].str.split("|", n=1, expand=True)
    if rows.empty or pairs.shape[1] < 2:
        raise NotFoundError("no pair of layers was tested")
    frame = pd.DataFrame({"first": pairs[0], "second": pairs[1], "estimate": rows["estimate"]}).dropna()
    depth = {layer: place for place, layer in enumerate(sources.layers)}
    order = frame[["first", "second"]].map(lambda layer: depth.get(layer, len(depth)))
    return figures.plot_synchronization(
        frame.loc[order.sort_values(["first", "second"], kind="stable").index]
    ).get_figure(root=True)  # type: ignore[return-value]


DRAWINGS = (
    Drawing(
        "loss",
        "Loss and residual",
        "Thin: the loss over the whole split. Broad: the first loss plus the running sum of everything that was "
        "allocated; where the two part, the allocation misses something. Beneath: what it misses in each step.",
        ("iterations", "computations"),
        _loss,
    ),
    Drawing(
        "layers",
        "Which layers help, which hurt",
        "Left: all helping and all hurting of a layer's parameters, summed apart. Right: what is left of them. "
        "Blue lowered the loss, vermilion raised it.",
        ("layers",),
        _layers,
    ),
    Drawing(
        "cumulative",
        "What each layer has contributed so far",
        "A line that falls is a layer that is learning. Lines in the upper half have raised the loss on balance.",
        ("results_cumulative",),
        lambda sources: figures.figure_cumulative(frames.cumulative_of_splits(sources)),
    ),
    Drawing(
        "helping",
        "How many parameters help",
        "The share of moving parameters whose motion lowered the loss in each step; exact zeros are left out.",
        ("results_helping_series",),
        _helping,
    ),
    Drawing(
        "parameter_helping",
        "How often a parameter helps",
        "Every parameter counted once, by the share of its steps in which it helped.",
        ("results_parameter_helping",),
        _parameters,
    ),
    Drawing(
        "histogram",
        "Small motions and large ones",
        "Every parameter in every step, by the size of its LCA. Above: how many there are of each size, on a log "
        "axis. Beneath: the loss change that they carry.",
        ("histogram",),
        lambda sources: figures.figure_histogram(frames.histogram_of_network(sources)),
    ),
    Drawing(
        "units",
        "Neurons and channels",
        "One row per neuron or channel, from the most helping to the most hurting of its layer; those that moved the "
        "loss most where a layer has many. Colours are linear near zero and logarithmic beyond.",
        ("units",),
        lambda sources: figures.figure_units(frames.largest_units(sources)),
    ),
    Drawing(
        "spectra",
        "Oscillation",
        "The power of each layer's steps and path gradients by period, and at which periods the layer helps or hurts. "
        "∞ is the steady part. From the sampled parameters.",
        ("results_spectra",),
        lambda sources: figures.figure_spectra(sources.table("results_spectra")),
    ),
    Drawing(
        "lag",
        "Lag behind the gradient",
        "How many iterations a layer's steps follow its negative path gradient. A layer that lags by more than a "
        "quarter of a period moves against its gradient. Momentum m delays by m/(1−m) on average.",
        ("results_lag_curve", "results_oscillation"),
        _lag,
    ),
    Drawing(
        "parts",
        "What moved the parameters",
        "Each layer's LCA, divided among the fresh gradient, the momentum carried over and weight decay; the three "
        "add up to it.",
        ("layers",),
        _parts,
    ),
    Drawing(
        "peaks",
        "Moments of learning",
        "The iterations in which each layer lowered the loss most, and how many layers have theirs at the same time.",
        ("results_peaks",),
        lambda sources: figures.figure_peaks(frames.peaks_with_counts(sources)),
    ),
    Drawing(
        "synchronization",
        "Layers that learn together",
        "How many moments of learning each pair of layers shares.",
        ("results_synchronization",),
        _pairs,
    ),
)
