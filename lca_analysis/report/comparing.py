"""The page that compares configurations over their seeds: small multiples, means with intervals, and paired tests."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lca_analysis.analysis.groups import read_groups
from lca_analysis.analysis.replication import T_METHOD
from lca_analysis.disk import write_atomic
from lca_analysis.errors import NotFoundError
from lca_analysis.report.embedding import embed
from lca_analysis.report.figures.axes import SIGNS, new_figure, rows_height
from lca_analysis.report.figures.layers import plot_layer_net
from lca_analysis.report.figures.names import short_names
from lca_analysis.report.figures.style import INK, styled
from lca_analysis.report.page import fill
from lca_analysis.report.quantities import NET_LCA
from lca_analysis.report.results import Row, to_rows
from lca_analysis.report.saving import render, table_files
from lca_analysis.report.seeds import net_by_run, runs_table, shown_runs
from lca_analysis.report.sources import by_depth
from lca_analysis.store import Store

PAGE = "comparison.html"
FOLDER = "comparison"
SEEDS, COMPARISON = "results_seeds", "results_comparison"
NAME = "net_lca_by_configuration"
ONE_COLUMN, MOST_PANELS = 3, 24
SHORT_NAME = 12
LONGEST_TITLE = 32
DOTS_BENEATH = 0.24


@dataclass(frozen=True)
class Section:
    """The rows of a configuration in a split; of a comparison, with what it is compared."""

    title: str
    rows: list[Row]


def write_comparison(store: Store, out: Path) -> Path:
    """Write the page that compares the configurations of a store, with its figure and tables as files.

    Parameters
    ----------
    store : Store
        The store, with the results of ``lca compare``.
    out : Path
        Folder of the reports.

    Returns
    -------
    Path
        ``<out>/comparison.html``; its files are in ``<out>/comparison``.

    Raises
    ------
    NotFoundError
        Nothing has been compared.
    """
    if not store.files(SEEDS):
        raise NotFoundError(f"{store.path} has no table {SEEDS}; run: lca compare {store.path}")
    tables = {name: store.table(name) for name in (SEEDS, COMPARISON) if store.files(name)}
    split = _main_split(tables[SEEDS])
    runs = read_groups(store, split)
    layers = list(dict.fromkeys(layer for group in runs for layer in group.layers))
    tables = {name: by_depth(frame, layers) for name, frame in tables.items()}
    net = net_by_configuration(tables[SEEDS])
    tables |= {"runs": runs_table(runs), "net_lca_by_run": net_by_run(runs)}
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        for suffix, data in table_files(frame).items():
            write_atomic(out / FOLDER / f"{name}.{suffix}", data)
    groups = list(dict.fromkeys(net["group"]))
    figure = figure_configurations(net[net["group"].isin(groups[:MOST_PANELS])], tables["net_lca_by_run"])
    files = render(figure)
    for suffix, data in files.items():
        write_atomic(out / FOLDER / f"{NAME}.{suffix}", data)
    page = fill(
        "comparison.html.j2",
        picture=embed({NAME: figure}, {NAME: files})[NAME],
        name=NAME,
        more=max(0, len(groups) - MOST_PANELS),
        folder=FOLDER,
        tables=list(tables),
        split=split,
        runs=shown_runs(tables["runs"], out),
        pooled=_sections(tables[SEEDS], "group"),
        compared=_sections(tables[COMPARISON], "group", "baseline") if COMPARISON in tables else [],
        version=version("lca-analysis"),
    )
    write_atomic(out / PAGE, page)
    return out / PAGE


def _sections(frame: pd.DataFrame, *names: str) -> list[Section]:
    """Write the rows configuration by configuration and split by split."""
    parts = frame.groupby(["split", *names], sort=False, observed=True)
    return [Section(f"{' less '.join(map(str, group))}, {split}", to_rows(rows)) for (split, *group), rows in parts]


def net_by_configuration(frame: pd.DataFrame) -> pd.DataFrame:
    """Choose the mean net LCA of every layer, with its interval over seeds, for each configuration of the first split.

    Parameters
    ----------
    frame : DataFrame
        ``results_seeds``.

    Returns
    -------
    DataFrame
        group, layer, estimate, low, high, n (runs).
    """
    chosen = (frame["split"] == _main_split(frame)) & (frame["quantity"] == NET_LCA) & (frame["method"] == T_METHOD)
    rows = frame[chosen & frame["layer"].notna() & frame["estimate"].notna()]
    if rows.empty:
        raise NotFoundError("no configuration has enough runs for the net LCA of its layers")
    return rows.drop_duplicates(["group", "layer"])[["group", "layer", "estimate", "low", "high", "n"]]


def _main_split(frame: pd.DataFrame) -> str:
    """Give the split that is drawn: train, or the first."""
    return "train" if (frame["split"] == "train").any() else str(frame["split"].iloc[0])


@styled
def figure_configurations(frame: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Draw the mean net LCA by layer and every run of it, one panel per configuration, on one scale.

    Parameters
    ----------
    frame : DataFrame
        What `net_by_configuration` gives.
    runs : DataFrame
        What `net_by_run` gives.

    Returns
    -------
    Figure
        Panels that share the axis of LCA, under each other or in two columns.
    """
    parts = [rows for _, rows in frame.groupby("group", sort=False)]
    few = len(parts) <= ONE_COLUMN or max(map(len, short_names(list(frame["layer"].unique())))) > SHORT_NAME
    columns = 1 if few else 2
    lines = [parts[start : start + columns] for start in range(0, len(parts), columns)]
    heights = [max(rows_height(len(part)) for part in line) for line in lines]
    figure = new_figure(sum(heights) + 0.2)
    panels = figure.subplots(len(lines), columns, sharex=True, squeeze=False, height_ratios=heights).ravel()
    names = short_names([str(part["group"].iloc[0]) for part in parts], LONGEST_TITLE)
    for ax, part, name in zip(panels, parts, names, strict=False):
        plot_layer_net(part, ax)
        _draw_runs(ax, part, runs)
        count = int(part["n"].max())
        ax.set_title(f"{name} ({count} run{'' if count == 1 else 's'})")
        ax.set_ylabel("layer")
        ax.set_xlabel("")
    for ax in panels[len(parts) :]:
        ax.set_visible(False)
    for ax in panels[max(0, len(parts) - columns) : len(parts)]:
        ax.set_xlabel(f"net LCA (loss)\n{SIGNS}\nbar: mean over seeds\nline: its interval, dots: runs")
        ax.tick_params(labelbottom=True)
    return figure


def _draw_runs(ax: Axes, part: pd.DataFrame, runs: pd.DataFrame) -> None:
    """Draw the runs of a configuration as dots in the rows of their layers, below the line of the interval."""
    rows = {layer: row for row, layer in enumerate(part["layer"])}
    own = runs[(runs["group"] == part["group"].iloc[0]) & runs["layer"].isin(list(rows))]
    beneath = own["layer"].map(rows).astype(float) + DOTS_BENEATH
    ax.plot(own["lca"], beneath, "o", color=INK, markersize=2.6, markeredgewidth=0)
