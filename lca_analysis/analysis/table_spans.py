"""Spans of training in which layers hurt: rows of ``results_hurting``."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lca_analysis.analysis.inference import HAC_METHOD, hac_mean
from lca_analysis.analysis.layer_series import LayerSeries
from lca_analysis.analysis.multiplicity import HOLM, MIN_EFFECTIVE
from lca_analysis.analysis.options import AnalysisOptions
from lca_analysis.analysis.rows import Row, adjusted, from_test

LEVEL = 0.05

_METHOD = f"{HAC_METHOD}, summed over the span"
_NULL = "mean loss change in the span = 0"


def span_rows(series: LayerSeries, options: AnalysisOptions) -> list[Row]:
    """Test in which spans of training layers hurt.

    The run is divided beforehand into at most so many equal spans of at least so many steps as the options say, so that
    no span is chosen by what it holds. Null: a layer's mean loss change in a span is 0. Alternative: it is positive
    (the layer hurts). Unit of replication: the iteration, of this one run. Assumptions and limits: those of `hac_mean`.
    Refused where a span counts as fewer than `MIN_EFFECTIVE` independent iterations, judged by the autocorrelation of
    the whole run: that of a span by itself is estimated too low. Just above that, the tests are conservative (0.01 to
    0.04 of runs without effect have a span that hurts, where 0.05 may). Holm over layers × spans. Neighbouring spans of
    a layer that hurt at `LEVEL` are joined to one ``hurting_span``, which holds as soon as all its members do: its
    corrected p-value is the largest of theirs.

    Parameters
    ----------
    series : LayerSeries
        The layers' loss change.
    options : AnalysisOptions
        Most spans, and the fewest steps of one.

    Returns
    -------
    list of Row
        Quantities ``span_lca``, one row a layer and span, and ``hurting_span``; none for runs too short to divide.
    """
    edges = span_edges(len(series.iterations), options)
    rows: list[Row] = []
    shares = hac_mean(series.lca).effective_n / len(series.lca) if len(edges) else ()  # of independent iterations
    for start, stop in pairwise(edges):
        found = _rows_of(series, "span_lca", start, stop)
        rows += [_unless_few(row, float(share * (stop - start))) for row, share in zip(found, shares, strict=True)]
    tested = adjusted(rows, HOLM)
    return [*tested, *_joined(series, tested, edges)]


def span_edges(length: int, options: AnalysisOptions) -> NDArray[np.int64]:
    """Divide steps into equal spans: the edges, none where fewer than two spans fit."""
    spans = min(options.spans, length // options.shortest_span)
    return np.linspace(0, length, spans + 1).astype(np.int64) if spans >= 2 else np.zeros(0, np.int64)


def _rows_of(series: LayerSeries, quantity: str, start: int, stop: int) -> list[Row]:
    """Test all layers in one span."""
    tests = hac_mean(series.lca[start:stop], alternative="greater")
    subject = f"iterations {series.iterations[start]} to {series.iterations[stop - 1]}"
    base = Row(quantity, _METHOD, 0, subject=subject, null=_NULL, alternative="greater")
    return [
        from_test(replace(base, layer=name), tests, place, float(tests.n[place]))
        for place, name in enumerate(series.layers)
    ]


def _unless_few(row: Row, count: float) -> Row:
    """Refuse a test of a span that counts as too few independent iterations."""
    if row.reason is not None or not count < MIN_EFFECTIVE:
        return row
    reason = f"the span counts as {count:.1f} independent iterations of {MIN_EFFECTIVE} needed; divide into fewer spans"
    return replace(row, reason=reason, low=np.nan, high=np.nan, statistic=np.nan, p=np.nan)


def _joined(series: LayerSeries, tested: list[Row], edges: NDArray[np.int64]) -> Iterator[Row]:
    """Join neighbouring spans in which a layer hurts."""
    count = max(len(edges) - 1, 0)
    p = np.array([row.p_adjusted for row in tested]).reshape(count, len(series.layers))
    for place, column in enumerate((p <= LEVEL).T):
        turns = np.flatnonzero(np.diff(np.concatenate([[0], column.astype(np.int8), [0]])))
        for first, last in zip(turns[::2], turns[1::2], strict=True):
            row = _rows_of(series, "hurting_span", int(edges[first]), int(edges[last]))[place]
            worst = float(p[first:last, place].max())
            own = next(one.p for one in tested if one.p_adjusted == worst)
            yield replace(row, statistic=np.nan, p=own, p_adjusted=worst, adjustment=f"{HOLM}, of its members")
