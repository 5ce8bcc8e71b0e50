"""Over the runs of a store: every configuration over its seeds, and configurations against a baseline."""

import os
from dataclasses import dataclass

import pandas as pd

from lca_analysis.analysis.groups import Group, read_groups
from lca_analysis.analysis.rows import Row, to_frame
from lca_analysis.analysis.table_comparison import comparison_rows
from lca_analysis.analysis.table_seeds import seed_rows
from lca_analysis.errors import NotFoundError
from lca_analysis.store import TABLES, Store, open_store

SEEDS, COMPARISON = "results_seeds", "results_comparison"


@dataclass(frozen=True)
class Compared:
    """What was put together.

    Attributes
    ----------
    split : str
        Which split.
    groups : dict of str to int
        Configurations, and how many runs of each were used.
    baselines : dict of str to str
        Configurations that were compared, and with which.
    notes : tuple of str
        Runs that are left out or to be read with care.
    """

    split: str
    groups: dict[str, int]
    baselines: dict[str, str]
    notes: tuple[str, ...]


def compare(
    store: Store | str | os.PathLike[str], baseline: str | None = None, split: str | None = None
) -> list[Compared]:
    """Pool the runs of each configuration over seeds, and compare configurations with a baseline, pair by pair.

    Writes the tables ``results_seeds`` and ``results_comparison``. A configuration is what the runs' ``group`` says
    (``lca train --seeds`` makes one; a Recorder takes it in its tags).

    Parameters
    ----------
    store : Store or path-like
        A store with computed runs, or its folder.
    baseline : str, optional
        The configuration that others are compared with; None takes, for each problem, the one recorded first.
    split : str, optional
        Which split; None takes all.

    Returns
    -------
    list of Compared
        What was put together, by split.

    Raises
    ------
    NotFoundError
        There is no such split or configuration, or nothing is computed.
    """
    opened = store if isinstance(store, Store) else open_store(store)
    splits = sorted({values["split"] for values, _ in opened.files("computations")})
    if not splits or split not in (None, *splits):
        opened.table("computations", split=split)
    return [_compare_split(opened, one, baseline) for one in splits if split in (None, one)]


def _compare_split(store: Store, split: str, baseline: str | None) -> Compared:
    """Write both tables of a split."""
    groups = read_groups(store, split)
    if baseline is not None and baseline not in [group.name for group in groups]:
        listed = ", ".join(repr(group.name) for group in groups)
        raise NotFoundError(f"{store.path} has no configuration {baseline!r}; it has: {listed}")
    chosen = {group.name: other for group in groups if (other := _baseline_of(group, groups, baseline)) is not None}
    pooled: list[Row] = [row for group in groups for row in seed_rows(group)]
    compared: list[Row] = [
        row for group in groups if group.name in chosen for row in comparison_rows(group, chosen[group.name])
    ]
    store.write_part(SEEDS, _frame(pooled, SEEDS), split=split)
    store.write_part(COMPARISON, _frame(compared, COMPARISON), split=split)
    return Compared(
        split,
        {group.name: len(group.used) for group in groups},
        {name: other.name for name, other in chosen.items()},
        tuple(f"{group.name}: {group.note}" for group in groups if group.note is not None),
    )


def _baseline_of(group: Group, groups: list[Group], name: str | None) -> Group | None:
    """Find what a configuration is compared with; None for a baseline itself."""
    if name is None:
        rivals = [other for other in groups if other.problem == group.problem and other.used]
        found = min(rivals, key=lambda other: (other.created, other.name), default=None)
    else:
        found = next(other for other in groups if other.name == name)
    return None if found is None or found.name == group.name else found


def _frame(rows: list[Row], table: str) -> pd.DataFrame:
    """Put rows into the columns of a table, also when there are none."""
    return to_frame(rows, table) if rows else pd.DataFrame(columns=TABLES[table].schema.names)
