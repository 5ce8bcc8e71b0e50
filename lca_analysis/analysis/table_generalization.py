"""Train against another split: rows of that split's ``results_hurting``."""

from dataclasses import replace

import numpy as np

from lca_analysis.analysis.inference import HAC_METHOD, hac_mean
from lca_analysis.analysis.layer_series import LayerSeries
from lca_analysis.analysis.multiplicity import HOLM
from lca_analysis.analysis.rows import Row, adjusted, from_test

TRAIN = "train"

_METHOD = f"{HAC_METHOD}, summed over iterations"
_UNION = f"intersection–union of two one-sided tests; interval: {HAC_METHOD}, of this split's sum"


def generalization_rows(series: LayerSeries, train: LayerSeries, split: str) -> list[Row]:
    """Compare the layers' loss change on a split with that on the train split, iteration by iteration.

    Two tests a layer, each with Holm over layers, of this one run; unit of replication: the iteration; assumptions and
    limits: those of `hac_mean`. ``net_lca_minus_train``: null: the mean of the paired difference is 0; two-sided.
    ``helps_train_hurts_here``: null: the layer does not help train, or does not hurt this split. Alternative: it does
    both. Its p-value is the larger of the two one-sided ones (an intersection–union test, Berger 1982: conservative
    where both effects are weak).

    Parameters
    ----------
    series, train : LayerSeries
        Loss change on the split and on the train split.
    split : str
        Name of the split.

    Returns
    -------
    list of Row
        Loss units, sums over the iterations that both splits have; layers that both have.
    """
    layers = [name for name in series.layers if name in train.layers]
    _, here, there = np.intersect1d(series.iterations, train.iterations, return_indices=True)
    own = series.lca[here][:, [series.layers.index(name) for name in layers]]
    other = train.lca[there][:, [train.layers.index(name) for name in layers]]
    difference, helps, hurts = (
        hac_mean(own - other),
        hac_mean(other, alternative="less"),
        hac_mean(own, alternative="greater"),
    )
    paired, both = [], []
    for place, name in enumerate(layers):
        base = Row("net_lca_minus_train", _METHOD, 0, layer=name, null="mean difference = 0", alternative="two-sided")
        paired.append(from_test(base, difference, place, float(difference.n[place])))
        base = Row("helps_train_hurts_here", _UNION, 0, layer=name, alternative=f"helps {TRAIN} and hurts {split}")
        row = from_test(replace(base, null="helps neither or hurts neither"), hurts, place, float(hurts.n[place]))
        reason = row.reason or helps.reason[place]
        both.append(replace(row, p=float(np.maximum(helps.p[place], hurts.p[place])), statistic=np.nan, reason=reason))
    return [*adjusted(paired, HOLM), *adjusted(both, HOLM)]
