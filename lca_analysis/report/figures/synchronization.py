"""Which pairs of layers share their moments of learning."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from lca_analysis.report.figures.axes import add_scale, check, label_rows, new_figure, row_height
from lca_analysis.report.figures.names import short_names
from lca_analysis.report.figures.style import SHARE_COLORS, styled

COLUMNS = ("first", "second", "estimate")
NUMBERED_LAYERS = 12
DARK = 0.55


def _matrix(frame: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Lay the pairs out as a symmetric matrix; the diagonal stays empty."""
    place = {name: index for index, name in enumerate(names)}
    matrix = np.full((len(names), len(names)), np.nan)
    for first, second, value in zip(frame["first"], frame["second"], frame["estimate"], strict=True):
        matrix[place[first], place[second]] = matrix[place[second], place[first]] = value
    return matrix


def _write_numbers(ax: Axes, matrix: np.ndarray) -> None:
    """Write the value of each pair into its cell."""
    top = max(float(np.nanmax(matrix)), 1.0)
    for row, column in zip(*np.nonzero(np.isfinite(matrix)), strict=True):
        color = "white" if matrix[row, column] > DARK * top else "black"
        ax.text(column, row, f"{matrix[row, column]:g}", ha="center", va="center", color=color, fontsize=7.5)


@styled
def plot_synchronization(frame: pd.DataFrame, ax: Axes | None = None, label: str = "shared peak iterations") -> Axes:
    """Draw a value of every pair of layers as a symmetric matrix.

    Parameters
    ----------
    frame : DataFrame
        One row per pair: first, second (layers, from the input on), estimate (number of shared peak iterations).
    ax : Axes, optional
        Where to draw; a new figure without it.
    label : str
        What the value is.

    Returns
    -------
    Axes
        Layers from the input on, in rows and columns; values are written into the cells where they fit.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, *COLUMNS)
    names = list(dict.fromkeys([*frame["first"], *frame["second"]]))
    ax = _square_axes(len(names)) if ax is None else ax
    matrix = _matrix(frame, names)
    top = max(float(np.nanmax(np.nan_to_num(matrix))), 1.0)
    ax.imshow(np.ma.masked_invalid(matrix), cmap=SHARE_COLORS, norm=Normalize(0, top), aspect="equal")
    ax.spines[:].set_visible(False)
    label_rows(ax, names)
    size = 8.0 if len(names) <= 24 else 6.5
    ax.set_xticks(range(len(names)), short_names(names), rotation=90, fontsize=size)
    ax.tick_params(axis="x", length=0)
    if len(names) <= NUMBERED_LAYERS:
        _write_numbers(ax, matrix)
    ax.set_title("Moments of learning shared by pairs")
    add_scale(ax, label, len(names) * row_height(len(names)), whole=True)
    return ax


def _square_axes(count: int) -> Axes:
    """Open square axes for so many layers."""
    side = max(2.6, min(count * row_height(count), 8.5))
    return new_figure(side + 1.2, side + 2.6).subplots()
