"""The table of one configuration over its runs: ``results_seeds``."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lca_analysis.analysis.analysed_values import LAG_TESTS, LAGS, SYNCHRONY
from lca_analysis.analysis.effect_sizes import EFFECT_METHOD, standardized_mean
from lca_analysis.analysis.groups import HELPING, LOSS, NET, PARTS, Group, Reals
from lca_analysis.analysis.inference import MeanTest
from lca_analysis.analysis.multiplicity import HOLM
from lca_analysis.analysis.replication import SIGN_METHOD, T_METHOD, sign_level, sign_over_runs, t_over_runs
from lca_analysis.analysis.rows import CONFIDENCE, Row, adjusted, from_test

RUNS = "runs"
EFFECT = "_effect_size"
HALF = 50.0


@dataclass(frozen=True)
class SeedRow(Row):
    """A row over the runs of a configuration."""

    replication: str = RUNS
    group: str = ""
    runs: str | None = None
    note: str | None = None


def seed_rows(group: Group) -> list[SeedRow]:
    """Estimate and test the quantities of a configuration over its runs.

    Net LCA S_G of network and layers: null 0, alternatives "greater" (it hurts) and "less" (it helps), by t and by the
    sign test. Percent helping: null 50, two-sided. Parts of the update: null 0, two-sided. Last loss, lag and mean
    delay: an interval, no test. Of analysed runs: lag and mean delay less those of the rest, and mean delay less the
    momentum's, null 0, two-sided; shared moments of learning less those expected under each null, null 0, greater.
    Unit of replication: the run. Holm over layers, for each test. Assumptions: those of `t_over_runs` and
    `sign_over_runs`.
    Beside the tests, standardised effect sizes.

    Parameters
    ----------
    group : Group
        The runs of a configuration.

    Returns
    -------
    list of SeedRow
        Each row names the runs it is of, and those that are left out.
    """
    runs = json.dumps([run.run for run in group.used], ensure_ascii=False)
    base = SeedRow("", "", len(group.used), group=group.name, runs=runs, note=group.note)
    names = [None, *group.layers]
    rows: list[Row] = _untested(group, base, LOSS, [None])
    rows += tested(group, base, NET, names, 0.0, ("greater", "less"))
    rows += tested(group, base, HELPING, names, HALF, ("two-sided",))
    for part in PARTS:
        if any(np.isfinite(group.values(f"net_{part}", layer)).any() for layer in group.layers):
            rows += tested(group, base, f"net_{part}", list(group.layers), 0.0, ("two-sided",))
    rows += _analysed(group, base)
    return [row for row in rows if isinstance(row, SeedRow)]


def _analysed(group: Group, base: SeedRow) -> list[Row]:
    """Pool lags, delays and synchrony, where runs were analysed."""
    rows: list[Row] = []
    for quantity in LAGS:
        rows += _untested(group, base, quantity, _with_values(group, quantity))
    for quantity in LAG_TESTS:
        if names := _with_values(group, quantity):
            rows += tested(group, base, quantity, names, 0.0, ("two-sided",))
    for quantity in SYNCHRONY.values():
        if np.isfinite(group.values(quantity, None)).any():
            rows += tested(group, base, quantity, [None], 0.0, ("greater",))
    return rows


def _with_values(group: Group, quantity: str) -> list[str]:
    """List the layers of which any run has a value."""
    return [layer for layer in group.layers if np.isfinite(group.values(quantity, layer)).any()]


def _untested(group: Group, base: SeedRow, quantity: str, names: Sequence[str | None]) -> list[Row]:
    """Give the means of a quantity with their intervals."""
    rows = []
    for name in names:
        found = t_over_runs(group.values(quantity, name))
        row = from_test(replace(base, quantity=quantity, method=T_METHOD, layer=name), found)
        rows.append(replace(row, p=np.nan, statistic=np.nan))
    return rows


def tested(
    group: Group,
    base: SeedRow,
    quantity: str,
    names: Sequence[str | None],
    null: float,
    alternatives: Sequence[str],
) -> list[Row]:
    """Test a quantity of network and layers in every way, with effect sizes."""
    values = np.column_stack([group.values(quantity, name) for name in names])
    rows: list[Row] = []
    for alternative in alternatives:
        for method, test, words in (
            (T_METHOD, t_over_runs, f"mean over runs = {null:g}"),
            (SIGN_METHOD, sign_over_runs, f"median over runs = {null:g}"),
        ):
            found = test(values, null, alternative)
            own = replace(base, quantity=quantity, method=method, null=words, alternative=alternative)
            rows += by_layer(own, names, found)
    return [*rows, *effect_rows(base, quantity, names, values, null)]


def by_layer(
    base: Row, names: Sequence[str | None], found: MeanTest, also: Callable[[Row, int], Row] | None = None
) -> list[Row]:
    """Make a row for network and layers, corrected over layers; sign tests name the level that they truly have."""
    rows = [from_test(replace(base, layer=name), found, place) for place, name in enumerate(names)]
    if base.method == SIGN_METHOD and base.alternative is not None:
        levels = [sign_level(int(count), base.alternative) for count in found.effective_n]
        rows = [
            replace(row, method=f"{SIGN_METHOD}, true level {level:.3f}")
            for row, level in zip(rows, levels, strict=True)
        ]
    rows = rows if also is None else [also(row, place) for place, row in enumerate(rows)]
    network = [row for row in rows if row.layer is None]
    return [*adjusted(network, HOLM), *adjusted([row for row in rows if row.layer is not None], HOLM)]


def effect_rows(base: Row, quantity: str, names: Sequence[str | None], values: Reals, null: float) -> list[Row]:
    """Give standardised effect sizes of network and layers."""
    rows = []
    for name, column in zip(names, values.T, strict=True):
        found = standardized_mean(column, null)
        known = np.isfinite(found.low)
        own = replace(base, quantity=quantity + EFFECT, method=EFFECT_METHOD, layer=name, n=found.n)
        rows.append(
            replace(
                own,
                estimate=found.estimate,
                low=found.low,
                high=found.high,
                confidence=CONFIDENCE if known else np.nan,
                reason=found.reason,
            )
        )
    return rows
