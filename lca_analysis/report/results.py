"""The results tables as rows of text: network first, then layer by layer."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from lca_analysis.report.numbers import interval, is_number, number, p_value
from lca_analysis.report.quantities import describe_quantity
from lca_analysis.report.sources import Sources

RESULTS = ("results_helping", "results_hurting", "results_oscillation", "results_synchronization")
MOST_ROWS = 120


@dataclass(frozen=True)
class Row:
    """One result, as text."""

    what: str
    quantity: str
    estimate: str
    interval: str
    p: str
    p_adjusted: str
    adjustment: str
    n: str
    method: str
    null: str
    note: str
    missing: bool


@dataclass(frozen=True)
class Group:
    """The results of one quantity by layer, neuron or pair."""

    title: str
    table: str
    rows: list[Row]
    more: int


def _text(value: object) -> str:
    """Give a cell's text, empty where it is null."""
    return "" if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]


def _row(cells: dict[Any, Any]) -> Row:
    """Write one row of a results table; a row without an estimate says why."""
    missing = not is_number(cells["estimate"])
    reason = _text(cells["reason"]) or "the analysis gave no reason"
    confidence = f" ({100 * float(cells['confidence']):g} %)" if is_number(cells["confidence"]) else ""
    ends = interval(cells["low"], cells["high"])
    return Row(
        what=" · ".join(filter(None, [_text(cells["layer"]), _text(cells["subject"])])) or "network",
        quantity=describe_quantity(_text(cells["quantity"])),
        estimate=f"no result: {reason}" if missing else number(cells["estimate"]),
        interval=ends + (confidence if is_number(cells["low"]) or is_number(cells["high"]) else ""),
        p=p_value(cells["p"]),
        p_adjusted=p_value(cells["p_adjusted"]),
        adjustment=_text(cells["adjustment"]),
        n=f"{number(cells['n'])} {_text(cells['replication'])}",
        method=_text(cells["method"]),
        null=", against: ".join(filter(None, [_text(cells["null"]), _text(cells["alternative"])])),
        note="" if missing else _text(cells["reason"]),
        missing=missing,
    )


def to_rows(frame: pd.DataFrame) -> list[Row]:
    """Write all rows of a frame."""
    return [_row(cells) for cells in frame.to_dict("records")]


def result_rows(sources: Sources, split: str) -> tuple[list[Row], list[Group]]:
    """Write the results of a split.

    Parameters
    ----------
    sources : Sources
        The run's tables.
    split : str
        Which split.

    Returns
    -------
    network : list of Row
        The results of the whole network.
    groups : list of Group
        All others by table and quantity, in the order of their layers, at most `MOST_ROWS` rows each.
    """
    network: list[Row] = []
    groups: list[Group] = []
    for name in filter(lambda name: sources.has(name, split), RESULTS):
        frame = sources.table(name, split)
        whole = frame["layer"].isna() & frame["subject"].isna()
        network += to_rows(frame[whole])
        for quantity, rows in frame[~whole].groupby("quantity", sort=False):
            shown = rows.iloc[:MOST_ROWS]
            groups.append(Group(describe_quantity(str(quantity)), name, to_rows(shown), len(rows) - len(shown)))
    return network, groups
