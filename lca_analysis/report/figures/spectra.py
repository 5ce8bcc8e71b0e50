"""Spectra by layer: at which periods steps and gradients oscillate, and which periods help."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, Colormap, LogNorm, Normalize
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import (
    SIGNS,
    add_scale,
    check,
    label_rows,
    layer_order,
    new_axes,
    new_figure,
    reach_of,
    rows_height,
)
from lca_analysis.report.figures.style import LCA_COLORS, SHARE_COLORS, styled

COLUMNS = ("layer", "frequency", "power_step", "power_gradient", "lca")
POWER_SPAN = 1e4
LCA_KNEE = 0.01
LCA_TICKS = (-1, -0.1, -0.01, 0, 0.01, 0.1, 1)
TICK_GAP = 0.17
PERIODS = (2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


def _borders(frequencies: np.ndarray) -> np.ndarray:
    """Give the borders of sorted frequencies on a log axis, with room for frequency zero at the left."""
    positive = frequencies[frequencies > 0]
    if not len(positive):
        return np.array([0.5, 1.0])
    middle = np.sqrt(positive[1:] * positive[:-1])
    ratio = middle[0] / positive[0] if len(middle) else 1.2
    borders = np.concatenate([[positive[0] / ratio], middle, [positive[-1]]])
    return np.concatenate([[borders[0] / 1.35], borders]) if len(positive) < len(frequencies) else borders


def _label_periods(ax: Axes, borders: np.ndarray, steady: bool) -> None:
    """Label an axis of log frequency by periods, long ones at the left, and the steady part by ∞."""
    lowest, highest = borders[1 if steady else 0], borders[-1]
    shown = [period for period in PERIODS if lowest * 1.3 <= 1 / period <= highest * 1.001]
    gap = TICK_GAP * math.log(borders[-1] / borders[0])
    kept: list[int] = []
    for period in shown:
        if not kept or math.log(period / kept[-1]) >= gap:
            kept.append(period)
    ticks, labels = [1 / period for period in kept], [f"{period:g}" for period in kept]
    if steady:
        ticks, labels = [math.sqrt(borders[0] * borders[1]), *ticks], ["∞", *labels]
    ax.set_xscale("log")
    ax.set_xlim(borders[0], borders[-1])
    ax.set_xticks(ticks, labels)
    ax.minorticks_off()
    ax.set_xlabel("period (iterations)")


def draw_periods(ax: Axes, frame: pd.DataFrame, matrix: np.ndarray, norm: Normalize, colors: Colormap) -> None:
    """Draw layers × frequencies on an axis of periods."""
    frequencies = np.sort(frame["frequency"].unique())
    borders = _borders(frequencies)
    ax.pcolormesh(
        borders, np.arange(len(matrix) + 1) - 0.5, np.ma.masked_invalid(matrix),
        cmap=colors, norm=norm, rasterized=True,
    )  # fmt: skip
    label_rows(ax, layer_order(frame))
    ax.spines[:].set_visible(False)
    _label_periods(ax, borders, steady=bool(frequencies[0] == 0))


def wide_spectrum(frame: pd.DataFrame, values: str) -> np.ndarray:
    """Lay the frame out as layers × frequencies."""
    wide = frame.pivot(index="layer", columns="frequency", values=values)
    return wide.reindex(layer_order(frame)).sort_index(axis=1).to_numpy(dtype=float)


def layer_panels(frame: pd.DataFrame, count: int) -> tuple[Figure, list[Axes], float]:
    """Open a figure with panels side by side, a row per layer, and give it with them and the rows' height."""
    height = rows_height(len(layer_order(frame)))
    figure = new_figure(height + 0.3)
    return figure, list(figure.subplots(1, count, sharey=True)), height


@styled
def plot_power(frame: pd.DataFrame, ax: Axes | None = None, of: str = "step") -> Axes:
    """Draw the power of every layer's steps or path gradients by period.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_spectra``, layers from the input on: layer, frequency (cycles/iteration), power_step,
        power_gradient, lca.
    ax : Axes, optional
        Where to draw; a new figure without it.
    of : {"step", "gradient"}
        Whose power.

    Returns
    -------
    Axes
        One row per layer, shaded on a log scale up to the row's own largest power.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, *COLUMNS)
    names = layer_order(frame)
    ax = new_axes(ax, rows_height(len(names)))
    power = wide_spectrum(frame, f"power_{of}")
    peak = np.nanmax(np.where(np.isfinite(power), power, 0.0), axis=1, keepdims=True)
    relative = np.clip(power / np.where(peak > 0, peak, 1.0), 1 / POWER_SPAN, 1.0)
    faintest = min(float(np.nanmin(relative, initial=1.0)), 0.1)
    draw_periods(ax, frame, relative, LogNorm(faintest, 1.0), SHARE_COLORS)
    ax.set_title(f"Power of {of}s")
    return ax


@styled
def plot_spectral_lca(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw at which periods every layer helps and hurts.

    Parameters
    ----------
    frame : DataFrame
        What `plot_power` takes; lca is the spectral LCA (loss units), which sums to the layer's sampled LCA.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        One row per layer; blue periods lowered the loss, vermilion ones raised it, up to the row's own largest, on a
        scale that is linear near zero and logarithmic beyond.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, *COLUMNS)
    names = layer_order(frame)
    ax = new_axes(ax, rows_height(len(names)))
    values = wide_spectrum(frame, "lca")
    largest = np.array([[reach_of(pd.Series(row).dropna())] if np.isfinite(row).any() else [1.0] for row in values])
    draw_periods(ax, frame, np.clip(values / largest, -1, 1), AsinhNorm(LCA_KNEE, -1, 1), LCA_COLORS)
    ax.set_title("LCA by period")
    return ax


@styled
def figure_spectra(frame: pd.DataFrame) -> Figure:
    """Draw the power of steps and gradients, and the spectral LCA, by layer and period.

    Parameters
    ----------
    frame : DataFrame
        What `plot_power` takes.

    Returns
    -------
    Figure
        Three panels side by side that share the layers.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, *COLUMNS)
    figure, panels, height = layer_panels(frame, 3)
    plot_power(frame, panels[0], "step")
    plot_power(frame, panels[1], "gradient")
    plot_spectral_lca(frame, panels[2])
    for ax in panels[1:]:
        ax.set_ylabel("")
    add_scale(panels[1], "of the layer's largest", height)
    add_scale(panels[2], f"of the layer's largest\n{SIGNS}", height, ticks=LCA_TICKS)
    return figure
