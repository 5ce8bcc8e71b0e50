"""The loss change of every layer over the whole run: what helped, what hurt, and what is left."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import SIGNS, check, label_rows, new_axes, new_figure, rows_height
from lca_analysis.report.figures.style import HELPING_LIGHT, HURTING_LIGHT, INK, sign_color, styled


@styled
def plot_layer_gross(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw what the helping and the hurting parameters of each layer add up to.

    Parameters
    ----------
    frame : DataFrame
        One row per layer, input first: layer, lca_helping (≤ 0) and lca_hurting (≥ 0), in loss units.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        One row per layer, input at the top; helping to the left in blue, hurting to the right in vermilion.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", "lca_helping", "lca_hurting")
    ax = new_axes(ax, rows_height(len(frame)))
    rows = range(len(frame))
    ax.barh(rows, frame["lca_helping"], 0.72, color=HELPING_LIGHT, label="helping")
    ax.barh(rows, frame["lca_hurting"], 0.72, color=HURTING_LIGHT, label="hurting")
    ax.axvline(0, color=INK, linewidth=0.7)
    label_rows(ax, list(frame["layer"]))
    ax.set_xlabel(f"gross LCA (loss)\n{SIGNS}")
    ax.grid(axis="x")
    ax.set_title("Helping and hurting, summed apart")
    return ax


@styled
def plot_layer_net(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the total LCA of each layer with its interval.

    Parameters
    ----------
    frame : DataFrame
        One row per layer, input first: layer, estimate (total LCA), low, high (interval; may be null), in loss
        units.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        Bars left of zero (blue) lowered the loss, bars right of it (vermilion) raised it.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", "estimate", "low", "high")
    ax = new_axes(ax, rows_height(len(frame)))
    places = range(len(frame))
    ax.barh(places, frame["estimate"], 0.72, color=[sign_color(value) for value in frame["estimate"]])
    for place, low, high in zip(places, frame["low"], frame["high"], strict=True):
        ax.plot([low, high], [place, place], color=INK, linewidth=1.1, solid_capstyle="butt")
        ax.plot([low, high], [place, place], "|", color=INK, markersize=5)
    ax.axvline(0, color=INK, linewidth=0.7)
    label_rows(ax, list(frame["layer"]))
    ax.set_xlabel(f"net LCA (loss)\n{SIGNS}")
    ax.grid(axis="x")
    ax.set_title("Net, with its interval" if frame["low"].notna().any() else "Net")
    return ax


@styled
def figure_layers(frame: pd.DataFrame) -> Figure:
    """Draw the gross and the net LCA of every layer, side by side.

    Parameters
    ----------
    frame : DataFrame
        The columns of `plot_layer_gross` and of `plot_layer_net`.

    Returns
    -------
    Figure
        Two panels that share the layers.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer")
    figure = new_figure(rows_height(len(frame)) + 0.4)
    left, right = figure.subplots(1, 2, sharey=True)
    plot_layer_gross(frame, left)
    plot_layer_net(frame, right)
    right.set_ylabel("")
    left.locator_params(axis="x", nbins=5)
    right.locator_params(axis="x", nbins=5)
    return figure
