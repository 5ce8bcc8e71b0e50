"""The table of a configuration against a baseline, over seeds: ``results_comparison``."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lca_analysis.analysis.groups import HELPING, LOSS, NET, Group, RunOutcome
from lca_analysis.analysis.replication import (
    RANK_METHOD,
    SIGN_METHOD,
    T_METHOD,
    ranks_over_runs,
    sign_over_runs,
    t_over_runs,
)
from lca_analysis.analysis.rows import Row
from lca_analysis.analysis.table_seeds import RUNS, by_layer, effect_rows

_TWO_SIDED = "two-sided"


@dataclass(frozen=True)
class ComparisonRow(Row):
    """A row over pairs of runs of two configurations."""

    replication: str = RUNS
    group: str = ""
    baseline: str = ""
    group_mean: float = np.nan
    baseline_mean: float = np.nan
    seeds: str | None = None
    note: str | None = None


def comparison_rows(group: Group, baseline: Group) -> list[ComparisonRow]:
    """Compare a configuration with a baseline, seed by seed.

    Quantities: the last loss, net LCA S_G and percent helping of network and layers. Estimate: the group's less the
    baseline's. Null: no difference; alternative: two-sided. By paired t, exact signed ranks (Wilcoxon) and the exact
    sign test, each with its interval, and a standardised effect size. Unit of replication: the pair of runs that share
    their seeds, of training and initial weights. Assumption: pairs are independent; the differences are roughly normal
    (t), symmetric (ranks), or nothing more (sign). Holm over layers, for each test.

    Parameters
    ----------
    group, baseline : Group
        The configurations, of the same problem.

    Returns
    -------
    list of ComparisonRow
        Runs without a partner are named in ``note``; configurations that cannot be compared give one row that says
        why.
    """
    pairs, alone = pair(group, baseline)
    base = ComparisonRow(
        "",
        "",
        len(pairs),
        group=group.name,
        baseline=baseline.name,
        null="no difference",
        alternative=_TWO_SIDED,
        seeds=json.dumps([one.seed[0] for one, _ in pairs]),
        note="; ".join(filter(None, [*alone, group.note, baseline.note])) or None,
    )
    if reason := _incomparable(group, baseline, pairs):
        return [replace(base, quantity=LOSS, method=T_METHOD, null=None, alternative=None, reason=reason)]
    first = Group(group.name, tuple(one for one, _ in pairs))
    second = Group(baseline.name, tuple(other for _, other in pairs))
    layers = tuple(dict.fromkeys((*baseline.layers, *group.layers)))
    rows: list[Row] = []
    for quantity, names in ((LOSS, [None]), (NET, [None, *layers]), (HELPING, [None, *layers])):
        rows += _tested(base, quantity, names, first, second)
    return [row for row in rows if isinstance(row, ComparisonRow)]


def pair(group: Group, baseline: Group) -> tuple[list[tuple[RunOutcome, RunOutcome]], list[str]]:
    """Pair the runs of two configurations by seed, and name those without a partner."""
    partner = {run.seed: run for run in baseline.used if None not in run.seed}
    pairs = [(run, partner[run.seed]) for run in group.used if run.seed in partner]
    matched = {run.run for both in pairs for run in both}
    alone = []
    for one in (group, baseline):
        single = [run.run for run in one.used if run.run not in matched]
        alone += [f"without a partner of the same seed: {', '.join(single)}"] if single else []
    return pairs, alone


def _incomparable(group: Group, baseline: Group, pairs: Sequence[tuple[RunOutcome, RunOutcome]]) -> str | None:
    """Say why two configurations cannot be compared."""
    if group.problem != baseline.problem:
        return f"it trains {group.problem or 'an unknown problem'}, the baseline {baseline.problem or 'another'}"
    if not pairs:
        return "no run of it shares its seed with a run of the baseline"
    lengths = {run.iterations for both in pairs for run in both}
    if len(lengths) > 1:
        return f"the runs have {' and '.join(map(str, sorted(lengths)))} iterations"
    return None


def _tested(base: ComparisonRow, quantity: str, names: Sequence[str | None], first: Group, second: Group) -> list[Row]:
    """Test the differences of a quantity of network and layers in every way."""
    values = [np.column_stack([one.values(quantity, name) for name in names]) for one in (first, second)]
    difference = values[0] - values[1]
    known = np.isfinite(difference)
    means = [np.where(known, one, 0).sum(0) / np.maximum(known.sum(0), 1) for one in values]
    means = [np.where(known.any(0), one, np.nan) for one in means]

    def with_means(row: Row, place: int) -> Row:
        reason = row.reason if known[:, place].any() else _missing(row.layer, first, second)
        return replace(row, group_mean=float(means[0][place]), baseline_mean=float(means[1][place]), reason=reason)  # type: ignore[call-arg]

    rows: list[Row] = []
    for method, test in ((T_METHOD, t_over_runs), (RANK_METHOD, ranks_over_runs), (SIGN_METHOD, sign_over_runs)):
        own = replace(base, quantity=quantity, method=method)
        rows += by_layer(own, names, test(difference, 0.0, _TWO_SIDED), with_means)
    plain = replace(base, null=None, alternative=None)
    return [*rows, *effect_rows(plain, quantity, names, difference, 0.0)]


def _missing(layer: str | None, first: Group, second: Group) -> str:
    """Say which configuration lacks a layer, or moves nothing in it."""
    for one in (first, second):
        if layer is not None and layer not in one.layers:
            return f"{one.name} has no layer {layer}"
    return "in one of the configurations it moves the loss in no iteration"
