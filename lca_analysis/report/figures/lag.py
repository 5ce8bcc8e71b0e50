"""How far each layer's steps follow its gradient: the cross-correlation and the lag at its maximum."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import (
    add_scale,
    check,
    draw_heat,
    label_rows,
    layer_order,
    mark_line,
    new_axes,
    new_figure,
    pivot_rows,
    reach_of,
    rows_height,
)
from lca_analysis.report.figures.style import INK, SECOND, SIGNED_COLORS, styled


@styled
def plot_lag_curve(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the correlation of every layer's steps with its negative gradients, by lag.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_lag_curve``, layers from the input on: layer, lag (iterations by which the step follows
        the negative path gradient), cross_correlation (−1 to 1).
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        One row per layer on a scale centred at zero.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", "lag", "cross_correlation")
    names = layer_order(frame)
    ax = new_axes(ax, rows_height(len(names)))
    norm = CenteredNorm(0, reach_of(frame["cross_correlation"].dropna()))
    draw_heat(ax, pivot_rows(frame, "lag", "cross_correlation"), SIGNED_COLORS, norm)
    ax.axvline(0, color=INK, linewidth=0.6, linestyle=":")
    label_rows(ax, names)
    ax.set_xlabel("lag of the step behind −gradient (iterations)")
    ax.set_title("Cross-correlation")
    return ax


@styled
def plot_lag(frame: pd.DataFrame, ax: Axes | None = None, momentum: float | None = None) -> Axes:
    """Draw the lag of every layer with its interval, and the delay that momentum gives.

    Parameters
    ----------
    frame : DataFrame
        One row per layer, input first: layer, estimate, low, high (iterations; may be null).
    ax : Axes, optional
        Where to draw; a new figure without it.
    momentum : float, optional
        The optimizer's momentum m, 0 ≤ m < 1; a line stands at m / (1 − m) iterations.

    Returns
    -------
    Axes
        One row per layer.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", "estimate", "low", "high")
    ax = new_axes(ax, rows_height(len(frame)))
    places = np.arange(len(frame))
    size = 5 if len(frame) <= 24 else 3.5
    ax.hlines(places, frame["low"], frame["high"], color=SECOND, linewidth=1.6, alpha=0.6)
    ax.plot(frame["estimate"], places, "o", color=SECOND, markersize=size, label="lag")
    axis = "lag (iterations)"
    if momentum is not None and 0 <= momentum < 1:
        delay = momentum / (1 - momentum)
        mark_line(ax, delay, f"m/(1−m) = {delay:.3g}", vertical=True)
        axis = f"{axis}\ndashed: mean delay\nby momentum, m/(1−m) = {delay:.3g}"
    label_rows(ax, list(frame["layer"]))
    ax.grid(axis="x")
    ax.set_xlabel(axis)
    ax.set_title("Lag, with its interval")
    return ax


@styled
def figure_lag(curve: pd.DataFrame, lags: pd.DataFrame, momentum: float | None = None) -> Figure:
    """Draw the cross-correlations and the lags side by side.

    Parameters
    ----------
    curve : DataFrame
        What `plot_lag_curve` takes.
    lags : DataFrame
        What `plot_lag` takes, for the same layers in the same order.
    momentum : float, optional
        The optimizer's momentum.

    Returns
    -------
    Figure
        Two panels that share the layers.

    Raises
    ------
    ArgumentError
        A frame is empty or lacks a column.
    """
    check(curve, "layer", "lag", "cross_correlation")
    height = rows_height(len(layer_order(curve)))
    figure = new_figure(height + 0.3)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
    plot_lag_curve(curve, left)
    plot_lag(lags, right, momentum)
    right.set_ylabel("")
    add_scale(left, "correlation", height)
    return figure
