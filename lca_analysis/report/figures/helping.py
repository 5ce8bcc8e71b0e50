"""Percent helping over the iterations: the network's line and one row of a heat map per layer."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import (
    add_scale,
    check,
    draw_heat,
    label_iterations,
    label_rows,
    layer_order,
    mark_line,
    new_axes,
    new_figure,
    pivot_rows,
    reach_of,
    rows_height,
)
from lca_analysis.report.figures.style import HELPING, HELPING_COLORS, HURTING, INK, styled

HALF = 50.0


@styled
def plot_percent_helping(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the percentage of the network's moving parameters that help, at every iteration.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_helping_series``: iteration, layer (null: the network), percent_helping (0–100).
        Only the network's rows are drawn.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The line, filled blue above 50 % and vermilion beneath.

    Raises
    ------
    ArgumentError
        The frame lacks a column or the network's rows.
    """
    check(frame, "iteration", "layer", "percent_helping")
    rows = frame[frame["layer"].isna()]
    check(rows, "iteration", "percent_helping")
    ax = new_axes(ax)
    x, y = rows["iteration"], rows["percent_helping"]
    ax.fill_between(x, HALF, y, where=y >= HALF, interpolate=True, color=HELPING, alpha=0.45, linewidth=0)
    ax.fill_between(x, HALF, y, where=y < HALF, interpolate=True, color=HURTING, alpha=0.45, linewidth=0)
    ax.plot(x, y, color=INK, linewidth=0.6)
    mark_line(ax, HALF, "50 %")
    label_iterations(ax, x.min(), x.max())
    ax.set_ylabel("parameters that help (%)")
    ax.grid(axis="y")
    ax.set_title("Percent helping of the network")
    return ax


@styled
def plot_layer_helping(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the percentage helping of every layer as a heat map centred at 50 %.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_helping_series``: iteration, layer, percent_helping (0–100); the network's are not drawn.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        One row per layer; blue where more than half help, grey where there is no number.

    Raises
    ------
    ArgumentError
        The frame lacks a column or has no layer.
    """
    check(frame, "iteration", "layer", "percent_helping")
    rows = frame.dropna(subset=["layer"])
    check(rows, "percent_helping")
    names = layer_order(rows)
    ax = new_axes(ax, rows_height(len(names)))
    reach = reach_of(rows["percent_helping"] - HALF, least=1.0)
    draw_heat(ax, pivot_rows(rows, "iteration", "percent_helping"), HELPING_COLORS, CenteredNorm(HALF, reach))
    label_rows(ax, names)
    label_iterations(ax, rows["iteration"].min(), rows["iteration"].max())
    ax.set_title("Percent helping by layer")
    return ax


@styled
def figure_helping(frame: pd.DataFrame) -> Figure:
    """Draw percent helping of the network above that of its layers.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_helping_series``.

    Returns
    -------
    Figure
        Two panels that share the iterations.

    Raises
    ------
    ArgumentError
        The frame lacks a column, the network's rows or the layers'.
    """
    lower = rows_height(len(layer_order(frame)))
    figure = new_figure(2.3 + lower)
    above, beneath = figure.subplots(2, 1, sharex=True, height_ratios=(2.0, lower))
    plot_percent_helping(frame, above)
    plot_layer_helping(frame, beneath)
    above.set_xlabel("")
    add_scale(beneath, "% helping", lower)
    return figure
