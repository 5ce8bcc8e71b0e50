"""Neurons and channels over the iterations: when each helped and when it hurt."""

import math
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import (
    SIGNS,
    check,
    draw_heat,
    extension,
    label_iterations,
    layer_order,
    new_axes,
    reach_of,
    signed,
)
from lca_analysis.report.figures.names import plain, short_name, short_names
from lca_analysis.report.figures.style import LCA_COLORS, WIDTH, styled

COLUMNS = ("iteration", "layer", "unit", "lca")
COLOR_KNEE = 0.05
PANEL_GAP = 0.045
TOP = 0.45
SCALE_LENGTH = 2.2


def _norm(frame: pd.DataFrame) -> AsinhNorm:
    """Make a scale centred at zero that is linear near it and logarithmic beyond."""
    reach = reach_of(frame["lca"])
    return AsinhNorm(COLOR_KNEE * reach, -reach, reach)


def _unit_height(count: int) -> float:
    """Give the height in inches of one unit's row."""
    return 0.14 if count <= 40 else 0.075 if count <= 160 else 0.05


@styled
def plot_units(frame: pd.DataFrame, ax: Axes | None = None, norm: AsinhNorm | None = None) -> Axes:
    """Draw the LCA of a layer's units over the iterations, one row per unit.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``units`` of one layer, in the order of the rows to draw: iteration, layer, unit, lca (loss).
    ax : Axes, optional
        Where to draw; a new figure without it.
    norm : AsinhNorm, optional
        Scale of the colours, to share it between layers; the frame's own without it.

    Returns
    -------
    Axes
        Blue where a unit lowered the loss, vermilion where it raised it, grey where there is no number.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, *COLUMNS)
    units = list(dict.fromkeys(frame["unit"]))
    ax = new_axes(ax, 0.8 + len(units) * _unit_height(len(units)))
    wide = frame.pivot(index="unit", columns="iteration", values="lca").reindex(units).sort_index(axis=1)
    draw_heat(ax, wide, LCA_COLORS, norm or _norm(frame))
    ax.set_yticks([])
    ax.set_ylim(len(units) - 0.5, -0.5)
    label_iterations(ax, frame["iteration"].min(), frame["iteration"].max())
    name = plain(short_name(str(frame["layer"].iloc[0])))
    ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=7.5)
    return ax


@styled
def figure_units(frame: pd.DataFrame) -> Figure:
    """Draw the units of every layer over the iterations, one panel per layer on one scale of colours.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``units``, layers from the input on and units in the order of their rows: iteration, layer, unit,
        lca (loss; may be summed over spans of iterations).

    Returns
    -------
    Figure
        Panels under each other that share the iterations.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, *COLUMNS)
    names = layer_order(frame)
    rows = [int(frame.loc[frame["layer"] == name, "unit"].nunique()) for name in names]
    heights = [max(count * _unit_height(sum(rows)), 0.15) for count in rows]
    figure = _open(names, sum(heights))
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    norm = _norm(frame)
    for ax, name, shown in zip(panels, names, short_names(names), strict=True):
        plot_units(frame[frame["layer"] == name], ax, norm)
        ax.yaxis.label.set_text(shown)
        if ax is not panels[-1]:
            ax.set_xlabel("")
            ax.tick_params(axis="x", length=0)
    panels[0].set_title(
        f"LCA of neurons and channels: {SIGNS}\none line each, by layer from the most helping to the most hurting",
        fontsize=8.5,
    )
    _add_scale(figure, norm, sum(heights), extension(norm, frame["lca"]))
    return figure


def _open(names: list[str], height: float) -> Figure:
    """Open a figure with fixed margins: fitting them to so many panels would take long."""
    height += PANEL_GAP * len(names)
    total = height + TOP + 0.5
    left = 0.25 + 0.066 * max(map(len, short_names(names)))
    figure = Figure(figsize=(WIDTH, total))
    margins = {"left": left / WIDTH, "right": 1 - 0.85 / WIDTH, "bottom": 0.5 / total, "top": 1 - TOP / total}
    figure.subplots_adjust(**margins, hspace=PANEL_GAP * len(names) / height)
    return figure


def _add_scale(
    figure: Figure, norm: AsinhNorm, height: float, extend: Literal["both", "neither", "min", "max"]
) -> None:
    """Put the shared scale of colours at the right, marked at zero and at two round numbers on either side."""
    unit = 10.0 ** math.floor(math.log10(norm.vmax or 1.0))
    largest = math.floor((norm.vmax or 1.0) / unit) * unit
    marks = [-largest, -largest / 5, 0.0, largest / 5, largest]
    size = figure.get_size_inches()
    length = min(SCALE_LENGTH, height)
    box = (1 - 0.72 / size[0], 1 - (TOP + 0.05 + length) / size[1], 0.11 / size[0], length / size[1])
    place = figure.add_axes(box, label="<colorbar>")
    scale = figure.colorbar(ScalarMappable(norm, LCA_COLORS), cax=place, ticks=marks, extend=extend)
    scale.set_ticks(marks, labels=[signed(mark) for mark in marks])
    scale.outline.set_visible(False)
    scale.ax.minorticks_off()
    scale.set_label("LCA (loss)", fontsize=8)
    scale.ax.tick_params(labelsize=7, length=2)
