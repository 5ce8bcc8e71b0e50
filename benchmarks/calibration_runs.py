"""Simulated nulls of tests over runs, of train against validation, of spans and of leads: for ``calibration.py``."""

import numpy as np
from calibration_measures import Case, Reals

from lca_analysis.analysis.coincidence import local_reach
from lca_analysis.analysis.evenness import evenness_p
from lca_analysis.analysis.inference import hac_mean
from lca_analysis.analysis.layer_series import LayerSeries
from lca_analysis.analysis.leads import lead
from lca_analysis.analysis.options import AnalysisOptions
from lca_analysis.analysis.peaks import deepest_minima
from lca_analysis.analysis.replication import ranks_over_runs, sign_over_runs, t_over_runs
from lca_analysis.analysis.table_generalization import generalization_rows
from lca_analysis.analysis.table_spans import span_rows

OVER_RUNS = (
    ("t", "two-sided", 8),
    ("t", "greater", 8),
    ("ranks", "two-sided", 8),
    ("sign", "greater", 8),
    ("sign", "two-sided", 8),
    ("sign", "two-sided", 17),
)
TESTS = {"t": t_over_runs, "sign": sign_over_runs, "ranks": ranks_over_runs}
_AT_ONCE = 4000


def over_runs(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """p-values of all `OVER_RUNS` on the same runs, whose values are net LCA: sums of a run's series: [repeats, 6]."""
    most = max(runs for _, _, runs in OVER_RUNS)
    each = max(_AT_ONCE // most, 1)
    totals = []
    for start in range(0, repeats, each):
        count = min(each, repeats - start)
        totals.append(case.draw(rng, count * most).sum(0).reshape(most, count))
    values = np.concatenate(totals, axis=1)
    return np.column_stack([TESTS[test](values[:runs], alternative=side).p for test, side, runs in OVER_RUNS])


def _layers(values: Reals) -> LayerSeries:
    """Layers with a given loss change."""
    nothing = np.zeros_like(values)
    names = tuple(map(str, range(values.shape[1])))
    return LayerSeries(np.arange(len(values)), names, {-1: values}, nothing, nothing, nothing, nothing)


def generalization_rates(
    case: Case, rng: np.random.Generator, repeats: int, quantity: str, help_: float = 0.0
) -> Reals:
    """p-values of train against another split, whose series share a component; on train layers help by so much."""
    shared = case.draw(rng, repeats)
    train, other = (shared + case.draw(rng, repeats) for _ in range(2))
    rows = generalization_rows(_layers(other), _layers(train - help_), "validation")
    return np.array([row.p for row in rows if row.quantity == quantity])


def span_rates(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """Smallest corrected p-value over the spans of two layers; NaN where all are refused."""
    found = []
    for _ in range(repeats):
        p = np.array([row.p_adjusted for row in span_rows(_layers(case.draw(rng, 2)), AnalysisOptions())])
        found.append(np.nan if np.isnan(p).all() else np.nanmin(p))
    return np.array(found)


def evenness_rates(case: Case, rng: np.random.Generator, repeats: int, fall: float = 0.0) -> Reals:
    """p-values of a line, and of a parabola, in the size of three layers' loss change: [repeats, 2].

    `fall` is the logarithm by which the size falls over the run.
    """
    course = np.exp(-fall * np.arange(case.length) / case.length)[:, None]
    return np.array([evenness_p(case.draw(rng, 3) * course) for _ in range(repeats)])


def lead_rates(case: Case, rng: np.random.Generator, repeats: int, local: bool = False) -> Reals:
    """p-values of which of two layers has its moments of learning first, by all shifts or by local ones."""
    found = []
    reach = 2 * local_reach(case.length)
    shifts = np.arange(-reach, reach + 1) if local else np.arange(case.length)
    for _ in range(repeats):
        one, other = (deepest_minima(column) for column in case.draw(rng, 2).T)
        found.append(lead(one, other, case.length, shifts).p)
    return np.array(found)


def short_rates(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """p-values of the one-sided test of the mean of runs, or spans, of few iterations."""
    return hac_mean(case.draw(rng, repeats), alternative="greater").p
