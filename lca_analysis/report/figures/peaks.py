"""Moments of learning across layers, and how many layers share each."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lca_analysis.report.figures.axes import (
    check,
    label_iterations,
    label_rows,
    layer_order,
    new_axes,
    new_figure,
    rows_height,
)
from lca_analysis.report.figures.style import ALONE, FAINT, SHARE_COLORS, styled

ALONE_SHADE = 0.28


def peak_colors(layers: "pd.Series[int]") -> list[str]:
    """Give grey for a peak that no other layer shares, and a darker purple the more layers do."""
    most = max(int(layers.max()), 2)
    shades = ALONE_SHADE + (1 - ALONE_SHADE) * (layers - 1) / (most - 1)
    return [ALONE if count < 2 else to_hex(SHARE_COLORS(shade)) for count, shade in zip(layers, shades, strict=True)]


def label_peaks(ax: Axes, iterations: "pd.Series[int]") -> None:
    """Name the axis of iterations, with a little room beside the first and the last peak."""
    first, last = iterations.min(), iterations.max()
    room = max(1.0, 0.012 * (last - first))
    label_iterations(ax, first - room, last + room)


@styled
def plot_peaks(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the iterations of every layer's deepest drops as marks in the layer's row.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_peaks``, layers from the input on, with layers: layer, iteration, layers (number of layers
        that peak in that iteration).
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        Marks are grey where one layer peaks alone, and a darker purple the more layers peak with it.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", "iteration", "layers")
    names = layer_order(frame)
    ax = new_axes(ax, rows_height(len(names)))
    rows = frame["layer"].map({name: place for place, name in enumerate(names)})
    ax.hlines(range(len(names)), frame["iteration"].min(), frame["iteration"].max(), color=FAINT, linewidth=0.5)
    ax.vlines(frame["iteration"], rows - 0.38, rows + 0.38, color=peak_colors(frame["layers"]), linewidth=1.2)
    label_rows(ax, names)
    label_peaks(ax, frame["iteration"])
    ax.set_title("Moments of learning by layer")
    return ax


@styled
def plot_coincidence(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how many layers peak in each iteration.

    Parameters
    ----------
    frame : DataFrame
        What `plot_peaks` takes.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        One line per iteration with a peak; grey where one layer has it alone, darker the more layers share it.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", "iteration", "layers")
    ax = new_axes(ax, 1.6)
    once = frame.drop_duplicates("iteration").sort_values("iteration")
    ax.vlines(once["iteration"], 0, once["layers"], color=peak_colors(once["layers"]), linewidth=1.2)
    ax.set_ylim(0, once["layers"].max() * 1.08 + 0.2)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    label_peaks(ax, frame["iteration"])
    ax.set_ylabel("layers")
    ax.grid(axis="y")
    ax.set_title("How many layers peak together")
    return ax


@styled
def figure_peaks(frame: pd.DataFrame) -> Figure:
    """Draw the coincidence counts above the raster of peaks.

    Parameters
    ----------
    frame : DataFrame
        What `plot_peaks` takes.

    Returns
    -------
    Figure
        Two panels that share the iterations.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", "iteration", "layers")
    lower = rows_height(len(layer_order(frame)))
    figure = new_figure(1.5 + lower)
    above, beneath = figure.subplots(2, 1, sharex=True, height_ratios=(1.2, lower))
    plot_coincidence(frame, above)
    plot_peaks(frame, beneath)
    above.set_xlabel("")
    return figure
