"""How each layer's steps stand to its gradient, period by period: their phase, and how far the two go together."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import add_scale, check, layer_order, new_axes, rows_height
from lca_analysis.report.figures.spectra import draw_periods, layer_panels, wide_spectrum
from lca_analysis.report.figures.style import LCA_COLORS, SHARE_COLORS, styled

COLUMNS = ("layer", "frequency", "phase", "coherence")
QUARTERS = (0, 45, 90, 135, 180)


@styled
def plot_phase(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the angle between every layer's steps and its negative path gradients by period.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_spectra``, layers from the input on: layer, frequency (cycles/iteration), phase (rad).
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        One row per layer; blue where steps go with the negative gradient (below 90°), vermilion where they go
        against it, whichever of the two is ahead.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", "frequency", "phase")
    ax = new_axes(ax, rows_height(len(layer_order(frame))))
    angle = np.degrees(np.abs(wide_spectrum(frame, "phase")))
    draw_periods(ax, frame, angle, Normalize(0, 180), LCA_COLORS)
    ax.set_title("Phase of steps and −gradients")
    return ax


@styled
def plot_coherence(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the squared coherence of every layer's steps and path gradients by period.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_spectra``, layers from the input on: layer, frequency (cycles/iteration), coherence (0–1).
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        One row per layer; where it is pale the phase means little.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "layer", "frequency", "coherence")
    ax = new_axes(ax, rows_height(len(layer_order(frame))))
    draw_periods(ax, frame, wide_spectrum(frame, "coherence"), Normalize(0, 1), SHARE_COLORS)
    ax.set_title("Coherence")
    return ax


@styled
def figure_phase(frame: pd.DataFrame) -> Figure:
    """Draw phase and coherence by layer and period.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_spectra``.

    Returns
    -------
    Figure
        Two panels side by side that share the layers.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, *COLUMNS)
    figure, (left, right), height = layer_panels(frame, 2)
    plot_phase(frame, left)
    plot_coherence(frame, right)
    right.set_ylabel("")
    add_scale(left, "degrees (below 90:\nsteps follow −gradient)", height, ticks=QUARTERS)
    add_scale(right, "squared coherence\n(1: they go together)", height)
    return figure
