"""The loss, the loss rebuilt from what was allocated, and the residual between them."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import check, label_iterations, mark_line, new_axes, new_figure
from lca_analysis.report.figures.style import HURTING, INK, MUTED, SECOND, styled

SPLIT_COLORS = (INK, SECOND, "#1E7A4C", "#8A6D00")


def _splits(frame: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Give each split with its colour and rows, in order of appearance."""
    names = list(dict.fromkeys(frame["split"]))
    return [
        (name, SPLIT_COLORS[place % len(SPLIT_COLORS)], frame[frame["split"] == name])
        for place, name in enumerate(names)
    ]


def _wants_log(values: "pd.Series[float]") -> bool:
    """Say whether positive values span more than a factor of thirty."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > 30 * finite.min())


@styled
def plot_loss(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the loss of each split, and beneath it the loss rebuilt from the allocated sum.

    Parameters
    ----------
    frame : DataFrame
        One row per split and recorded point: split, iteration, loss (loss units), rebuilt (loss of the first
        point plus the running sum of ``allocated``, loss units).
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        The loss axis is logarithmic where the loss spans more than a factor of thirty.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "split", "iteration", "loss", "rebuilt")
    ax = new_axes(ax)
    for name, color, rows in _splits(frame):
        ax.plot(
            rows["iteration"], rows["rebuilt"], color=color, alpha=0.25, linewidth=5, solid_capstyle="butt",
            label=f"{name}: rebuilt from the allocated sum",
        )  # fmt: skip
        ax.plot(rows["iteration"], rows["loss"], color=color, label=f"{name}: loss")
    if _wants_log(frame["loss"]):
        ax.set_yscale("log")
    label_iterations(ax, frame["iteration"].min(), frame["iteration"].max())
    ax.set_ylabel("loss")
    ax.grid(axis="y")
    ax.legend(ncols=2)
    ax.set_title("Loss, and the loss rebuilt from the allocation")
    return ax


@styled
def plot_residual(frame: pd.DataFrame, ax: Axes | None = None, tolerance: float | None = None) -> Axes:
    """Draw the size of the residual of every step, on a log axis, with the tolerance.

    Parameters
    ----------
    frame : DataFrame
        Rows of the table ``iterations``: split, iteration, residual (loss units), status.
    ax : Axes, optional
        Where to draw; a new figure without it.
    tolerance : float, optional
        Largest residual that the rule accepted (loss units); drawn as a line.

    Returns
    -------
    Axes
        Residuals of exactly zero have no place on a log axis and are left out; steps that did not meet the
        tolerance are crossed.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "split", "iteration", "residual", "status")
    ax = new_axes(ax, 2.0)
    for name, color, rows in _splits(frame):
        shown = rows[rows["residual"].abs() > 0]
        ax.plot(shown["iteration"], shown["residual"].abs(), ".", color=color, markersize=2.6, label=name)
    missed = frame[(frame["status"] == "tolerance") & (frame["residual"].abs() > 0)]
    if len(missed):
        sizes = missed["residual"].abs()
        ax.plot(missed["iteration"], sizes, "x", color=HURTING, markersize=4.5, label="tolerance not met")
    for at in frame.loc[frame["status"] == "nonfinite", "iteration"]:
        ax.axvline(at, color=MUTED, linewidth=0.5, alpha=0.5)
    if tolerance is not None and tolerance > 0:
        mark_line(ax, tolerance, f"tolerance {tolerance:g}")
    if len(frame[frame["residual"].abs() > 0]) or tolerance:
        ax.set_yscale("log")
    label_iterations(ax, frame["iteration"].min(), frame["iteration"].max())
    ax.set_ylabel("|residual| (loss)")
    ax.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2)
    ax.grid(axis="y")
    return ax


@styled
def figure_loss(points: pd.DataFrame, steps: pd.DataFrame, tolerance: float | None = None) -> Figure:
    """Draw the loss above its residuals.

    Parameters
    ----------
    points : DataFrame
        What `plot_loss` takes.
    steps : DataFrame
        What `plot_residual` takes.
    tolerance : float, optional
        Tolerance of the rule (loss units).

    Returns
    -------
    Figure
        Two panels that share the iterations.

    Raises
    ------
    ArgumentError
        A frame is empty or lacks a column.
    """
    figure = new_figure(4.9)
    above, beneath = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
    plot_loss(points, above)
    plot_residual(steps, beneath, tolerance)
    label_iterations(beneath, points["iteration"].min(), points["iteration"].max())
    above.set_xlabel("")
    return figure
