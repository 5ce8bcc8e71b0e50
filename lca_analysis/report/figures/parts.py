"""What moved the parameters: each layer's LCA by fresh gradient, momentum and weight decay."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import SIGNS, check, label_rows, new_axes, new_figure, rows_height
from lca_analysis.report.figures.style import INK, sign_color, styled

PARTS = {
    "lca_gradient": "Fresh gradient",
    "lca_momentum": "Momentum",
    "lca_decay": "Weight decay",
}


@styled
def plot_part(frame: pd.DataFrame, ax: Axes | None = None, part: str = "lca_gradient") -> Axes:
    """Draw what one part of the updates did to the loss, by layer.

    Parameters
    ----------
    frame : DataFrame
        One row per layer, input first: layer, lca_gradient, lca_momentum, lca_decay (loss units; they sum to the
        layer's LCA).
    ax : Axes, optional
        Where to draw; a new figure without it.
    part : {"lca_gradient", "lca_momentum", "lca_decay"}
        Which part.

    Returns
    -------
    Axes
        One bar a layer; blue ones lowered the loss, vermilion ones raised it.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", part)
    ax = new_axes(ax, rows_height(len(frame)))
    ax.barh(range(len(frame)), frame[part], 0.72, color=[sign_color(value) for value in frame[part]])
    ax.axvline(0, color=INK, linewidth=0.7)
    label_rows(ax, list(frame["layer"]))
    ax.locator_params(axis="x", nbins=4)
    ax.set_xlabel(f"LCA (loss)\n{SIGNS}")
    ax.grid(axis="x")
    ax.set_title(PARTS[part])
    return ax


@styled
def figure_parts(frame: pd.DataFrame) -> Figure:
    """Draw every part of the updates side by side on one scale.

    Parameters
    ----------
    frame : DataFrame
        What `plot_part` takes.

    Returns
    -------
    Figure
        Three panels that share both axes.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", *PARTS)
    figure = new_figure(rows_height(len(frame)) + 0.45)
    panels = figure.subplots(1, len(PARTS), sharex=True, sharey=True)
    for ax, part in zip(panels, PARTS, strict=True):
        plot_part(frame, ax, part)
        ax.set_ylabel("" if ax is not panels[0] else ax.get_ylabel())
    return figure
