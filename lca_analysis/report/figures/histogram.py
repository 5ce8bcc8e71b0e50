"""The distribution of the allocated loss change over signed-logarithmic bins."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import SIGNS, check, new_axes, new_figure
from lca_analysis.report.figures.style import INK, sign_color, styled
from lca_analysis.store import bin_numbers

COLUMNS = ("bin", "lower", "upper", "count", "lca")
MOST_LABELS = 5
ZERO_GAP = 4
POWERS = range(-15, 5)


def _colors(rows: pd.DataFrame) -> list[str]:
    """Colour bins by the side of zero on which they lie."""
    return [sign_color(bin_) for bin_ in rows["bin"]]


def _places(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the occupied bins side by side, dropping the empty middle between the smallest values and zero."""
    used = rows[rows["count"] > 0].sort_values("bin")
    return used.assign(place=_place(used["bin"].to_numpy(), _smallest(used)))


def _smallest(used: pd.DataFrame) -> int:
    """Give the number of the occupied bin that is nearest to zero."""
    return int(used.loc[used["bin"] != 0, "bin"].abs().min()) if used["bin"].any() else 1


def _place(bins: np.ndarray, smallest: int) -> np.ndarray:
    """Give the place of bins on the axis, on which zero is at zero and the smallest values are beside it."""
    return np.sign(bins) * (np.abs(bins) - smallest + ZERO_GAP)


def _label_bins(ax: Axes, rows: pd.DataFrame) -> None:
    """Write powers of ten where decades begin on either side, and zero in the middle."""
    used = rows[rows["bin"] != 0]
    ticks, labels = [0.0], ["0"]
    for side in (-1, 1):
        bins = used.loc[np.sign(used["bin"]) == side, "bin"].abs()
        # The edge of a decade's first bin that is nearer to zero.
        firsts = {power: int(bin_numbers([10.0**power])[0]) for power in POWERS}
        powers = [power for power, first in firsts.items() if len(bins) and _smallest(used) <= first <= bins.max() + 1]
        every = max(1, math.ceil(len(powers) / MOST_LABELS))
        shown = [power for power in powers if power % every == 0]
        ticks += [side * (float(_place(np.array(firsts[power]), _smallest(used))) - 0.5) for power in shown]
        sign = "−" if side < 0 else ""
        labels += [rf"$\mathregular{{{sign}10^{{{power}}}}}$" for power in shown]
    ax.set_xticks(ticks, labels)
    ax.set_xlim(rows["place"].min() - 1, rows["place"].max() + 1)
    ax.set_xlabel(f"LCA of one parameter in one step (loss, signed log scale): {SIGNS}")


@styled
def plot_histogram_count(frame: pd.DataFrame, ax: Axes | None = None, log: bool = True) -> Axes:
    """Draw how many values of LCA fall into each signed-logarithmic bin.

    Parameters
    ----------
    frame : DataFrame
        One row per bin: bin (0 is exactly zero; ±k by size), lower, upper (loss), count, lca (loss).
    ax : Axes, optional
        Where to draw; a new figure without it.
    log : bool
        Whether the axis of counts is logarithmic.

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
    ax.set_ylabel("values (log axis)" if log else "values")
    if log:
        ax.set_yscale("log")
    else:
        ax.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
    _label_bins(ax, rows)
    ax.grid(axis="y")
    ax.set_title(f"LCA of single parameters: how many of each size, on a {'log' if log else 'linear'} axis")
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
    """Draw the counts on a linear and on a log axis, above the loss change that they carry.

    Parameters
    ----------
    frame : DataFrame
        What `plot_histogram_count` takes.

    Returns
    -------
    Figure
        Three panels that share the bins.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    figure = new_figure(6.2)
    linear, log, beneath = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1.2, 1))
    plot_histogram_count(frame, linear, log=False)
    plot_histogram_count(frame, log)
    plot_histogram_lca(frame, beneath)
    for ax in (linear, log):
        ax.set_xlabel("")
    return figure
