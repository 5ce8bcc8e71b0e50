"""Single parameters over the iterations: weight, gradient, and what each step did to the loss."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lca_analysis.report.figures.axes import SIGNS, check, label_iterations, new_axes, new_figure
from lca_analysis.report.figures.names import plain, short_name
from lca_analysis.report.figures.style import INK, MUTED, SECOND, sign_color, styled

TRACES = {
    "weight": ("weight", INK),
    "path_gradient": ("gradient (loss/weight)", SECOND),
    "lca": (f"LCA (loss)\n{SIGNS}", INK),
}
LONGEST = 36
COLUMNS = ("parameter", "net", "period", "p_adjusted", "iteration", *TRACES)


@styled
def plot_trace(frame: pd.DataFrame, ax: Axes | None = None, of: str = "weight") -> Axes:
    """Draw one parameter over the iterations.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``series`` of one parameter, by iteration: iteration, weight, path_gradient (loss/weight), lca (loss).
    ax : Axes, optional
        Where to draw; a new figure without it.
    of : {"weight", "path_gradient", "lca"}
        What of it.

    Returns
    -------
    Axes
        A line; LCA as bars, blue where the step lowered the loss, vermilion where it raised it.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, "iteration", of)
    ax = new_axes(ax, 1.6)
    label, color = TRACES[of]
    if of == "lca":
        ax.vlines(frame["iteration"], 0, frame["lca"], color=[sign_color(value) for value in frame["lca"]])
    else:
        ax.plot(frame["iteration"], frame[of], color=color)
    if of != "weight":
        ax.axhline(0, color=MUTED, linewidth=0.7, zorder=1)
    label_iterations(ax, frame["iteration"].min(), frame["iteration"].max())
    ax.locator_params(axis="x", nbins=5)
    ax.locator_params(axis="y", nbins=5)
    ax.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
    ax.set_ylabel(label)
    ax.grid(axis="y")
    return ax


@styled
def figure_traces(frame: pd.DataFrame) -> Figure:
    """Draw weight, gradient and LCA of several parameters, one column each.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``series``: parameter (its name), net (its LCA over the whole run, loss), period (iterations),
        p_adjusted (of its oscillation), iteration, weight, path_gradient (loss/weight), lca (loss).

    Returns
    -------
    Figure
        Three panels under each other for every parameter.

    Raises
    ------
    ArgumentError
        The frame is empty or lacks a column.
    """
    check(frame, *COLUMNS)
    names = list(dict.fromkeys(frame["parameter"]))
    figure = new_figure(5.4)
    panels = figure.subplots(len(TRACES), len(names), sharex=True, squeeze=False)
    for column, name in enumerate(names):
        rows = frame[frame["parameter"] == name]
        for ax, of in zip(panels[:, column], TRACES, strict=True):
            plot_trace(rows, ax, of)
            ax.set_xlabel("iteration" if ax is panels[-1, column] else "")
            ax.set_ylabel(ax.get_ylabel() if column == 0 else "")
        panels[0, column].set_title(_title(name, rows), fontsize=8.5)
    figure.align_ylabels(panels[:, 0])
    return figure


def _title(name: str, rows: pd.DataFrame) -> str:
    """Name a parameter, with what it did to the loss, its period, and how sure its oscillation is."""
    net, period, p = rows[["net", "period", "p_adjusted"]].iloc[0]
    effect = "helping" if net < 0 else "hurting"
    certain = "p < 0.001" if p < 1e-3 else f"p = {p:.2g}"
    lca = f"{net:+.2g}".replace("-", "−")
    tensor, bracket, index = name.partition("[")
    shown = f"{short_name(tensor, LONGEST)}{bracket}{index}"
    title = f"{shown}\n{effect}, LCA {lca}\nperiod {period:.3g} iterations, {certain} (adjusted)"
    return plain(title)
