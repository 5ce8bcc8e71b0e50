"""The tables of hurting layers: ``results_hurting`` and ``results_cumulative``."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lca_analysis.analysis.bootstrap import BOOTSTRAP_METHOD, bootstrap_mean
from lca_analysis.analysis.inference import HAC_METHOD, hac_mean
from lca_analysis.analysis.layer_series import LayerSeries
from lca_analysis.analysis.multiplicity import BENJAMINI_HOCHBERG, HOLM
from lca_analysis.analysis.rows import EVERY_CLASS, Row, adjusted, from_bootstrap, from_test, generator

Reals = NDArray[np.float64]

_METHOD = f"{HAC_METHOD}, summed over iterations"
_BOOTSTRAP = f"{BOOTSTRAP_METHOD}, summed over iterations"
_NULL = "mean loss change = 0"


def hurting_rows(series: LayerSeries, seed: int) -> list[Row]:
    """Test whether layers hurt, and whether they help, for all classes together and for each class.

    Null: a layer's mean loss change is 0. Alternatives, each in a row of its own: it is positive (greater: the
    layer hurts), or negative (less: it helps). Estimate: the sum over iterations, S_G = Σ_t Σ_{i∈G} A[t, i].
    Unit of replication: the iteration, of this one run: the result speaks of this training, not of other seeds.
    Assumptions and limits: those of `hac_mean`. Holm over layers, and over layers × classes for single classes.
    Beside it, the same tests by a stationary block bootstrap, with a Holm correction of their own.

    Parameters
    ----------
    series : LayerSeries
        The layers' loss change.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    list of Row
        Quantity ``net_lca``, loss units; network first.
    """
    whole, single = [], []
    for alternative in ("greater", "less"):
        rows = _class_rows(series, EVERY_CLASS, alternative)
        whole += [*adjusted(rows[:1], HOLM), *adjusted(rows[1:], HOLM)]
        others = [_class_rows(series, label, alternative) for label in series.by_class if label != EVERY_CLASS]
        single += adjusted([row for rows in others for row in rows[:1]], HOLM)
        single += adjusted([row for rows in others for row in rows[1:]], HOLM)
    return [*whole, *_bootstrap_rows(series, seed), *single]


def _class_rows(series: LayerSeries, label: int, alternative: str) -> list[Row]:
    """Test network and layers for one class."""
    values = with_total(series.by_class[label])
    tests = hac_mean(values, alternative=alternative)
    base = Row("net_lca", _METHOD, 0, class_=label, null=_NULL, alternative=alternative)
    names = [None, *series.layers]
    return [
        from_test(replace(base, layer=name), tests, place, float(tests.n[place])) for place, name in enumerate(names)
    ]


def _bootstrap_rows(series: LayerSeries, seed: int) -> list[Row]:
    """Test network and layers by resampling, both ways."""
    values = dict(zip([None, *series.layers], with_total(series.lca).T, strict=True))
    found = {name: bootstrap_mean(column, generator(seed, "net_lca", str(name))) for name, column in values.items()}
    rows = []
    for alternative in ("greater", "less"):
        base = Row("net_lca", _BOOTSTRAP, 0, null=_NULL, alternative=alternative)
        tests = [from_bootstrap(replace(base, layer=name), one, float(one.n)) for name, one in found.items()]
        rows += [*adjusted(tests[:1], HOLM), *adjusted(tests[1:], HOLM)]
    return rows


def unit_rows(units: pd.DataFrame | None) -> list[Row]:
    """Test whether single neurons or channels hurt.

    Null, replication and assumptions: those of `hurting_rows`. Alternative: the unit's mean loss change is positive.
    Benjamini–Hochberg over all units of the network.

    Parameters
    ----------
    units : DataFrame or None
        Rows of the ``units`` table.

    Returns
    -------
    list of Row
        Quantity ``unit_lca``, loss units, one row a unit; none without the table.
    """
    if units is None or len(units) == 0:
        return []
    wide = units.pivot(index="iteration", columns=["layer", "unit"], values="lca")
    tests = hac_mean(wide.to_numpy(np.float64), alternative="greater")
    base = Row("unit_lca", _METHOD, 0, null=_NULL, alternative="greater")
    names = wide.columns.to_frame(index=False)
    rows = [
        from_test(replace(base, layer=layer, subject=str(unit)), tests, place, float(tests.n[place]))
        for place, layer, unit in zip(range(len(names)), names["layer"], names["unit"], strict=True)
    ]
    return adjusted(rows, BENJAMINI_HOCHBERG)


def cumulative_frame(series: LayerSeries) -> pd.DataFrame:
    """Sum the layers' loss change up to and with each step, in the columns of ``results_cumulative``."""
    known = np.isfinite(series.lca)
    total = np.where(known, np.cumsum(np.where(known, series.lca, 0), axis=0), np.nan)
    return pd.DataFrame(
        {
            "iteration": np.repeat(series.iterations, len(series.layers)),
            "layer": np.tile(np.array(series.layers, object), len(series.iterations)),
            "lca": total.ravel(),
        }
    )


def with_total(values: Reals) -> Reals:
    """Put the network's sum before the layers; it is NaN where any layer's is."""
    return np.column_stack([values.sum(1), values])
