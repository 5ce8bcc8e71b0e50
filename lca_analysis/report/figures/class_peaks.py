"""Moments of learning by layer and class."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lca_analysis.report.figures.axes import check, label_rows, layer_order, new_axes, rows_height
from lca_analysis.report.figures.peaks import label_peaks, peak_colors
from lca_analysis.report.figures.style import FAINT, styled

COLUMNS = ("layer", "class", "iteration", "layers")
LANE, WIDE_LANE = 0.055, 0.11
FEW_LANES = 40
TALLEST = 11.0
FILLED = 0.8
LISTED = 10


@styled
def plot_class_peaks(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the iterations in which every layer lowered the loss of every class most.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_peaks`` of single classes, layers from the input on, with layers: layer, class, iteration,
        layers (number of layers that peak in that iteration for that class).
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        A row per layer, in it a lane per class, the lowest class at the top; marks are grey where one layer peaks
        alone, and a darker purple the more layers peak with it.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, *COLUMNS)
    names, classes = layer_order(frame), sorted(frame["class"].unique())
    ax = new_axes(ax, max(rows_height(len(names)), _lanes_height(len(names) * len(classes)) + 0.9))
    lane = FILLED / len(classes)
    rows = frame["layer"].map({name: row for row, name in enumerate(names)})
    middle = rows + frame["class"].map({one: (place + 0.5) * lane - FILLED / 2 for place, one in enumerate(classes)})
    borders = np.arange(1, len(names)) - 0.5
    ax.hlines(borders, frame["iteration"].min(), frame["iteration"].max(), color=FAINT, linewidth=0.7)
    _draw_marks(ax, frame["iteration"].to_numpy(float), middle.to_numpy(float), lane, peak_colors(frame["layers"]))
    label_rows(ax, names)
    label_peaks(ax, frame["iteration"])
    lanes = ", ".join(map(str, classes)) if len(classes) <= LISTED else f"{classes[0]} to {classes[-1]}"
    ax.set_title(
        f"Moments of learning by layer and class\nlanes of a row, from the top: classes {lanes}\n"
        "stronger: shared by more layers; grey: by none",
        fontsize=8.5,
    )
    return ax


def _lanes_height(count: int) -> float:
    """Give the height in inches of so many lanes."""
    return min(count * (WIDE_LANE if count <= FEW_LANES else LANE), TALLEST)


def _draw_marks(ax: Axes, at: np.ndarray, middle: np.ndarray, lane: float, colors: list[str]) -> None:
    """Draw a mark in each lane, all of a colour as one broken line, which keeps files small."""
    for color in dict.fromkeys(colors):
        chosen = np.array(colors) == color
        ends = np.column_stack([middle[chosen] - lane / 2, middle[chosen] + lane / 2, np.full(chosen.sum(), np.nan)])
        ax.plot(np.repeat(at[chosen], 3), ends.ravel(), color=color, linewidth=1.2, solid_capstyle="butt")
