"""What moved the parameters: each layer's LCA by momentum, weight decay and fresh gradient."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lca_analysis.report.figures.axes import check, label_rows, new_axes, rows_height
from lca_analysis.report.figures.style import INK, sign_color, styled

PARTS = {
    "lca_gradient": "fresh gradient",
    "lca_momentum": "momentum carried over",
    "lca_decay": "weight decay",
}
HATCHES = {"lca_gradient": "", "lca_momentum": "////", "lca_decay": "...."}
THICKNESS = 0.26


@styled
def plot_parts(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw each layer's LCA split by the part of the update that moved it.

    Parameters
    ----------
    frame : DataFrame
        One row per layer, input first: layer, lca_gradient, lca_momentum, lca_decay (loss units; they sum to the
        layer's LCA).
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        Three bars a layer, told apart by their hatching; blue ones helped, vermilion ones hurt.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", *PARTS)
    ax = new_axes(ax, 1.35 * rows_height(len(frame)))
    places = np.arange(len(frame))
    for shift, (column, label) in zip((-THICKNESS, 0.0, THICKNESS), PARTS.items(), strict=True):
        colors = [sign_color(value) for value in frame[column]]
        bars = ax.barh(places + shift, frame[column], THICKNESS * 0.92, color=colors, label=label)
        for bar in bars:
            bar.set(hatch=HATCHES[column], edgecolor="white", linewidth=0)
    ax.axvline(0, color=INK, linewidth=0.7)
    label_rows(ax, list(frame["layer"]))
    ax.set_xlabel("LCA (loss)")
    ax.grid(axis="x")
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.1)
    ax.set_title("What moved them")
    return ax
