"""The loss change that each layer has accumulated by every iteration."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lca_analysis.report.figures.axes import (
    SIGNS,
    check,
    label_iterations,
    layer_order,
    new_axes,
    new_figure,
)
from lca_analysis.report.figures.names import plain, short_names
from lca_analysis.report.figures.style import (
    DEPTH_COLORS,
    HELPING,
    HURTING,
    INK,
    MUTED,
    depth_colors,
    styled,
)

NAMED_LAYERS = 8
LINE_GAP = 0.05


def _named(last: "pd.Series[float]") -> list[str]:
    """Choose the layers that are named at their line's end: all, or the outermost when there are many."""
    ranked = last.sort_values()
    if len(ranked) <= NAMED_LAYERS:
        return list(ranked.index)
    half = NAMED_LAYERS // 2
    return [*ranked.index[:half], *ranked.index[-half:]]


def _spread(heights: list[float], gap: float, top: float) -> list[float]:
    """Push sorted heights at least a gap apart, and back under the top."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    for place in range(len(placed) - 1, -1, -1):
        ceiling = top if place == len(placed) - 1 else placed[place + 1] - gap
        placed[place] = min(placed[place], ceiling)
    return placed


def _name_ends(ax: Axes, last: "pd.Series[float]", colors: dict[str, str]) -> None:
    """Write the layers' names at the right of their lines, without overlaps."""
    bottom, top = ax.get_ylim()
    named = last[_named(last)].sort_values()
    shown = dict(zip(colors, short_names(list(colors)), strict=True))
    relative = [(height - bottom) / (top - bottom) for height in named]
    for name, height in zip(named.index, _spread(relative, LINE_GAP, 1.0), strict=True):
        ax.annotate(
            shown[name], (1.0, height), xytext=(5, 0), xycoords="axes fraction",
            textcoords="offset points", color=colors[name], fontsize=7.5, va="center", annotation_clip=False,
        )  # fmt: skip


def _draw_lines(frame: pd.DataFrame, ax: Axes) -> dict[str, str]:
    """Draw one line per layer and give the layers' colours."""
    names = layer_order(frame)
    colors = dict(zip(names, depth_colors(len(names)), strict=True))
    width = 1.5 if len(names) <= NAMED_LAYERS else 0.9
    for name, rows in frame.groupby("layer", sort=False):
        ax.plot(rows["iteration"], rows["lca"], color=colors[str(name)], linewidth=width, label=str(name))
    label_iterations(ax, frame["iteration"].min(), frame["iteration"].max())
    ax.margins(y=0.04)
    ax.set_ylabel(f"cumulative LCA (loss)\n{SIGNS}")
    return colors


def _finish(ax: Axes, rows: pd.DataFrame, colors: dict[str, str]) -> None:
    """Shade and name a panel once its limits are known."""
    _shade(ax)
    _name_ends(ax, rows.groupby("layer", sort=False)["lca"].last().dropna(), colors)


@styled
def plot_cumulative(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the cumulative LCA of every layer over the iterations.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_cumulative`` of one split, layers from the input on: iteration, layer, lca (loss).
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        One line per layer, coloured by depth and named at its end (the outermost ones when there are many); above
        zero (shaded vermilion) a layer has raised the loss so far.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "iteration", "layer", "lca")
    ax = new_axes(ax, 3.6)
    _finish(ax, frame, _draw_lines(frame, ax))
    ax.set_title("Cumulative LCA by layer")
    return ax


def _shade(ax: Axes) -> None:
    """Tint the half planes where layers have helped and hurt, keeping the limits."""
    bottom, top = ax.get_ylim()
    if bottom < 0:
        ax.axhspan(bottom, min(top, 0), color=HELPING, alpha=0.05, linewidth=0, zorder=0)
    if top > 0:
        ax.axhspan(max(bottom, 0), top, color=HURTING, alpha=0.08, linewidth=0, zorder=0)
    ax.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    ax.set_ylim(bottom, top)


@styled
def figure_cumulative(frame: pd.DataFrame) -> Figure:
    """Draw the cumulative LCA by layer, one panel per split.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``results_cumulative``: split, iteration, layer, lca (loss).

    Returns
    -------
    Figure
        Panels under each other that share both axes.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "split", "iteration", "layer", "lca")
    splits = list(dict.fromkeys(frame["split"]))
    figure = new_figure(0.5 + 2.9 * len(splits))
    panels = figure.subplots(len(splits), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    parts = [frame[frame["split"] == split] for split in splits]
    colors = [_draw_lines(part, ax) for part, ax in zip(parts, panels, strict=True)]
    for ax, split, part, color in zip(panels, splits, parts, colors, strict=True):
        _finish(ax, part, color)
        ax.set_title(plain(f"Cumulative LCA by layer: {split}"))
        ax.set_xlabel("iteration" if ax is panels[-1] else "")
    names = layer_order(frame)
    if len(names) > NAMED_LAYERS:
        _add_depths(figure, panels[-1], len(names))
    return figure


def _add_depths(figure: Figure, ax: Axes, count: int) -> None:
    """Explain the colours of many layers by a scale of depth beneath the panels."""
    scale = figure.colorbar(
        ScalarMappable(Normalize(1, count), DEPTH_COLORS), ax=ax, orientation="horizontal",
        location="bottom", fraction=0.05, aspect=40, pad=0.03,
    )  # fmt: skip
    scale.outline.set_visible(False)
    scale.locator = MaxNLocator(integer=True, nbins=8)
    scale.update_ticks()
    scale.set_label("place of the layer, from the input (1) to the output", fontsize=8, color=INK)
