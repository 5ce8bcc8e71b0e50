"""The runs behind a comparison, one by one: what each came to, and which were left out, and why."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from lca_analysis.analysis.groups import Group
from lca_analysis.report.numbers import number
from lca_analysis.report.page import folder_name
from lca_analysis.report.quantities import NET_LCA

LOSS, HELPING = "loss_last", "percent_helping"
QUANTITIES = (LOSS, NET_LCA, HELPING)


def runs_table(groups: list[Group]) -> pd.DataFrame:
    """Give what every run came to.

    Parameters
    ----------
    groups : list of Group
        Configurations with their runs.

    Returns
    -------
    DataFrame
        group, seed, run, loss_last, net_lca (loss), percent_helping, left_out (why a run was not used; null for most).
    """
    rows = [
        {
            "group": group.name, "seed": run.seed[0], "run": run.run,
            **{name: run.values.get((name, None)) for name in QUANTITIES}, "left_out": run.trouble,
        }
        for group in groups
        for run in (*group.used, *group.left_out)
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"seed": "Int64", **dict.fromkeys(QUANTITIES, float)})


def net_by_run(groups: list[Group]) -> pd.DataFrame:
    """Give the net LCA of every layer in every run that was used.

    Parameters
    ----------
    groups : list of Group
        Configurations with their runs.

    Returns
    -------
    DataFrame
        group, run, layer, lca (loss).
    """
    rows = [
        {"group": group.name, "run": run.run, "layer": layer, "lca": run.values[NET_LCA, layer]}
        for group in groups
        for run in group.used
        for layer in run.layers
    ]
    return pd.DataFrame(rows, columns=["group", "run", "layer", "lca"])


def shown_runs(table: pd.DataFrame, out: Path) -> list[dict[str, Any]]:
    """Write the rows of `runs_table` as text, with links to the pages of those runs that have one."""
    return [
        {
            **{str(name): value for name, value in cells.items()},
            "seed": "–" if pd.isna(cells["seed"]) else cells["seed"],
            "left_out": cells["left_out"] or "",
            **{name: number(cells[name]) for name in QUANTITIES},
            "link": _link(out, cells["run"]),
        }
        for cells in table.to_dict("records")
    ]


def _link(out: Path, run: str) -> str:
    """Give the address of a run's page; empty where there is none."""
    folder = folder_name(run)
    return f"{quote(folder)}/index.html" if (out / folder / "index.html").is_file() else ""
