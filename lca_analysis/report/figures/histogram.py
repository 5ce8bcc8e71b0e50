"""The distribution of the allocated loss change over signed-logarithmic bins."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import check, new_axes, new_figure
from lca_analysis.report.figures.style import INK, sign_color, styled

COLUMNS = ("bin", "lower", "upper", "count", "lca")
MOST_LABELS = 9


def _colors(rows: pd.DataFrame) -> list[str]:
    """Colour bins by the side of zero on which they lie."""
    return [sign_color(bin_) for bin_ in rows["bin"]]


def _places(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the occupied bins side by side, dropping the empty middle between the smallest values and zero."""
    used = rows[rows["count"] > 0].sort_values("bin")
    smallest = used.loc[used["bin"] != 0, "bin"].abs().min() if (used["bin"] != 0).any() else 1
    place = np.sign(used["bin"]) * (used["bin"].abs() - smallest + 3)
    return used.assign(place=place.where(used["bin"] != 0, 0))


def _label_bins(ax: Axes, rows: pd.DataFrame) -> None:
    """Write powers of ten under the bins that begin a decade, and zero in the middle."""
    nonzero = rows[rows["bin"] != 0]
    # The edge nearer to zero, on either side.
    inner = nonzero[["lower", "upper"]].abs().min(axis=1)
    exponents = np.log10(inner.where(inner > 0, 1e-16))
    decades = nonzero[np.isclose(exponents, exponents.round(), atol=1e-6)].assign(power=exponents.round())
    every = max(1, math.ceil(len(decades) / MOST_LABELS))
    shown = decades[decades["power"] % every == 0]
    sides = np.where(shown["bin"] < 0, -1, 1)
    labels = [
        rf"$\mathregular{{{'−' if side < 0 else ''}10^{{{int(power)}}}}}$"
        for side, power in zip(sides, shown["power"], strict=True)
    ]
    ax.set_xticks([0.0, *(shown["place"] - 0.5 * sides)], ["0", *labels])
    ax.set_xlim(rows["place"].min() - 1, rows["place"].max() + 1)
    ax.set_xlabel("LCA of one parameter in one step (loss, signed log scale)")


@styled
def plot_histogram_count(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how many values of LCA fall into each signed-logarithmic bin, on a log axis.

    Parameters
    ----------
    frame : DataFrame
        One row per bin: bin (0 is exactly zero; ±k by size), lower, upper (loss), count, lca (loss).
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        Helping bins are blue, hurting ones vermilion, exactly zero grey.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, *COLUMNS)
    ax = new_axes(ax)
    rows = _places(frame)
    ax.bar(rows["place"], rows["count"], 1.0, color=_colors(rows), edgecolor="white", linewidth=0.3)
    ax.set_yscale("log")
    ax.set_ylabel("values")
    _label_bins(ax, rows)
    ax.grid(axis="y")
    ax.set_title("LCA of single parameters: how many helped and hurt, by size")
    return ax


@styled
def plot_histogram_lca(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the loss change that the values in each bin carry together.

    Parameters
    ----------
    frame : DataFrame
        What `plot_histogram_count` takes.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        Bars below zero (blue) lower the loss, bars above it (vermilion) raise it.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, *COLUMNS)
    ax = new_axes(ax)
    rows = _places(frame)
    ax.bar(rows["place"], rows["lca"], 1.0, color=_colors(rows), edgecolor="white", linewidth=0.3)
    ax.axhline(0, color=INK, linewidth=0.7)
    ax.set_ylabel("LCA in the bin (loss)")
    _label_bins(ax, rows)
    ax.grid(axis="y")
    ax.set_title("The loss change that they carry")
    return ax


@styled
def figure_histogram(frame: pd.DataFrame) -> Figure:
    """Draw the counts above the loss change that they carry.

    Parameters
    ----------
    frame : DataFrame
        What `plot_histogram_count` takes.

    Returns
    -------
    Figure
        Two panels that share the bins.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    figure = new_figure(4.6)
    above, beneath = figure.subplots(2, 1, sharex=True, height_ratios=(1.2, 1))
    plot_histogram_count(frame, above)
    plot_histogram_lca(frame, beneath)
    above.set_xlabel("")
    return figure
