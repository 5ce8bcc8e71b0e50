"""How often each parameter helps: the distribution over the network, and by layer."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import (
    add_scale,
    check,
    label_rows,
    layer_order,
    mark_line,
    new_axes,
    new_figure,
    rows_height,
)
from lca_analysis.report.figures.style import HELPING, HURTING, MUTED, SHARE_COLORS, styled

HALF = 50.0
COLUMNS = ("layer", "lower", "upper", "count")


@styled
def plot_parameter_helping(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how many of the network's parameters help in which percentage of their steps.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_parameter_helping``: layer (null: the network), lower, upper (percent), count
        (parameters). Only the network's rows are drawn.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        One bar per bin: blue above 50 %, vermilion beneath, grey where the bin holds both.

    Raises
    ------
    ArgumentError
        The frame lacks a column or the network's rows.
    """
    check(frame, *COLUMNS)
    rows = frame[frame["layer"].isna()]
    check(rows, *COLUMNS)
    ax = new_axes(ax)
    colors = np.where(rows["lower"] >= HALF, HELPING, np.where(rows["upper"] <= HALF, HURTING, MUTED))
    width = rows["upper"] - rows["lower"]
    ax.bar(rows["lower"], rows["count"], width, align="edge", color=list(colors), edgecolor="white", linewidth=0.5)
    mark_line(ax, HALF, "50 %", vertical=True)
    ax.set_xlim(0, 100)
    ax.set_xlabel("steps in which the parameter helps (%)")
    ax.set_ylabel("parameters")
    ax.grid(axis="y")
    ax.set_title("How often a parameter helps")
    return ax


@styled
def plot_parameter_helping_layers(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the same distribution for every layer, one row each, shaded by the number of parameters.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_parameter_helping``; the network's are not drawn.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        Each row is shaded up to its own fullest bin.

    Raises
    ------
    ArgumentError
        The frame lacks a column or has no layer.
    """
    check(frame, *COLUMNS)
    rows = frame.dropna(subset=["layer"])
    check(rows, *COLUMNS)
    names = layer_order(rows)
    ax = new_axes(ax, rows_height(len(names)))
    wide = rows.pivot(index="layer", columns="lower", values="count").reindex(names).sort_index(axis=1)
    counts = np.nan_to_num(wide.to_numpy(dtype=float))
    fullest = np.maximum(counts.max(axis=1, keepdims=True), 1)
    borders = np.append(wide.columns.to_numpy(dtype=float), rows["upper"].max())
    ax.pcolormesh(
        borders, np.arange(len(names) + 1) - 0.5, counts / fullest,
        cmap=SHARE_COLORS, norm=Normalize(0, 1), rasterized=True,
    )  # fmt: skip
    mark_line(ax, HALF, "50 %", vertical=True)
    label_rows(ax, names)
    ax.spines[:].set_visible(False)
    ax.set_xlim(0, 100)
    ax.set_xlabel("steps in which the parameter helps (%)")
    ax.set_title("By layer")
    return ax


@styled
def figure_parameter_helping(frame: pd.DataFrame) -> Figure:
    """Draw how often parameters help, in the network and by layer.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_parameter_helping``.

    Returns
    -------
    Figure
        Two panels that share the percentages.

    Raises
    ------
    ArgumentError
        The frame lacks a column, the network's rows or the layers'.
    """
    check(frame, *COLUMNS)
    lower = rows_height(len(layer_order(frame)))
    figure = new_figure(2.2 + lower)
    above, beneath = figure.subplots(2, 1, sharex=True, height_ratios=(1.9, lower))
    plot_parameter_helping(frame, above)
    plot_parameter_helping_layers(frame, beneath)
    above.set_xlabel("")
    add_scale(beneath, "parameters, as a share\nof the row's fullest bin", lower)
    return figure
