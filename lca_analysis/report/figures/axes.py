"""What several figures need: new axes, layer rows, heat maps, and checks of what is drawn."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lca_analysis.errors import ArgumentError
from lca_analysis.report.figures.names import short_names
from lca_analysis.report.figures.style import MUTED, WIDTH

COLOR_SHARE = 0.98
SCALE_LENGTH = 2.2
MOST_CELLS = 1000
SIGNS = "helping < 0 < hurting"
"""What the sign of LCA means, for labels."""

Array = np.ndarray


def check(frame: pd.DataFrame, *columns: str) -> None:
    """Raise ArgumentError unless the frame has rows and the named columns."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ArgumentError(f"the frame to draw lacks {', '.join(missing)}; it needs the columns {', '.join(columns)}")
    if frame.empty:
        raise ArgumentError(f"the frame to draw has no rows; it needs at least one, with {', '.join(columns)}")


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Open a figure outside pyplot, so that nothing global knows of it."""
    return Figure(figsize=(width, height), layout="constrained")


def new_axes(ax: Axes | None, height: float = 3.0) -> Axes:
    """Give the axes to draw on, making a figure when there is none."""
    return new_figure(height).subplots() if ax is None else ax


def layer_order(frame: pd.DataFrame) -> list[str]:
    """List the layers of a frame in the order in which they appear, without the network's own rows."""
    return list(dict.fromkeys(frame["layer"].dropna()))


def row_height(count: int) -> float:
    """Give the height in inches of one layer's row, smaller when there are many."""
    if count <= 6:
        return 0.42
    return 0.25 if count <= 24 else 0.17


def rows_height(count: int) -> float:
    """Give the height in inches of a panel with one row per layer, beside its axis."""
    return max(1.0, count * row_height(count)) + 0.75


def label_rows(ax: Axes, names: Sequence[str], label: str = "layer, input to output") -> None:
    """Name the rows 0, 1, … of an axes from top to bottom."""
    size = 8.0 if len(names) <= 24 else 6.5
    ax.set_yticks(range(len(names)), short_names(names), fontsize=size)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_ylabel(label)


def label_iterations(ax: Axes, first: float, last: float) -> None:
    """Name and limit the axis of iterations."""
    ax.set_xlim(first, last if last > first else first + 1)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=9))
    ax.set_xlabel("iteration")


def edges(centers: Array) -> Array:
    """Give the borders halfway between sorted centres; the outer ones continue the nearest spacing."""
    centers = np.asarray(centers, dtype=float)
    if len(centers) == 1:
        return np.array([centers[0] - 0.5, centers[0] + 0.5])
    middle = (centers[1:] + centers[:-1]) / 2
    return np.concatenate([[2 * centers[0] - middle[0]], middle, [2 * centers[-1] - middle[-1]]])


def draw_heat(ax: Axes, values: pd.DataFrame, colors: Colormap, norm: Normalize) -> None:
    """Draw rows × columns of a pivoted frame as a picture with one row per line, columns by their value."""
    borders = edges(values.columns.to_numpy())
    matrix = np.ma.masked_invalid(values.to_numpy(dtype=float))
    widths = np.diff(borders)
    if np.allclose(widths, widths[0]):
        extent = (borders[0], borders[-1], len(values) - 0.5, -0.5)
        # One stored pixel per cell keeps files small; more columns than the screen has are averaged instead.
        kind = "none" if max(matrix.shape) <= MOST_CELLS else "auto"
        ax.imshow(matrix, cmap=colors, norm=norm, extent=extent, aspect="auto", interpolation=kind)
    else:
        rows = np.arange(len(values) + 1) - 0.5
        ax.pcolormesh(borders, rows, matrix, cmap=colors, norm=norm, rasterized=True)
        ax.set_ylim(len(values) - 0.5, -0.5)
    ax.spines[:].set_visible(False)


def reach_of(values: "pd.Series[float]", least: float = 0.0) -> float:
    """Give the size up to which a scale of colours runs: nearly all values, so that a few do not bleach it."""
    sizes = values.dropna().abs()
    if sizes.empty:
        return least or 1.0
    reach = max(float(sizes.quantile(COLOR_SHARE)), least)
    return reach if reach > 0 else float(sizes.max()) or 1.0


def signed(value: float) -> str:
    """Write a number with a minus sign, as matplotlib's own ticks have it."""
    return f"{value:g}".replace("-", "−")


def extension(norm: Any, values: Any) -> Literal["both", "neither", "min", "max"]:
    """Say at which ends of a scale of colours values lie beyond it, so that the scale can show it by arrows."""
    values = np.ma.masked_invalid(values)
    below, above = bool((values < norm.vmin).any()), bool((values > norm.vmax).any())
    return "both" if below and above else "min" if below else "max" if above else "neither"


def add_scale(
    ax: Axes, label: str, panel_height: float, *, whole: bool = False, ticks: Sequence[float] | None = None
) -> None:
    """Put the colour scale of an axes' picture at its right, not too long; whole marks whole numbers, ticks these."""
    shrink = min(1.0, SCALE_LENGTH / panel_height)
    picture = ax.images[0] if ax.images else ax.collections[0]
    extend = extension(picture.norm, picture.get_array())
    scale = ax.figure.colorbar(picture, ax=ax, shrink=shrink, aspect=18, pad=0.015, fraction=0.06, extend=extend)
    if ticks is not None:
        scale.set_ticks(list(ticks), labels=[signed(tick) for tick in ticks])
        scale.ax.minorticks_off()
    scale.outline.set_visible(False)
    if whole:
        scale.locator = MaxNLocator(integer=True, nbins=6)
    scale.set_label(label, fontsize=8)
    scale.ax.tick_params(labelsize=7.5, length=2)


def pivot_rows(frame: pd.DataFrame, columns: str, values: str) -> pd.DataFrame:
    """Lay a long frame out as layers × columns, keeping the layers' order."""
    wide = frame.dropna(subset=["layer"]).pivot(index="layer", columns=columns, values=values)
    return wide.reindex(layer_order(frame)).sort_index(axis=1)


def mark_line(ax: Axes, at: float, text: str, *, vertical: bool = False) -> None:
    """Draw a thin dashed reference line; its text goes into the legend or beside it."""
    line = ax.axvline if vertical else ax.axhline
    line(at, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), label=text, zorder=1.5)
