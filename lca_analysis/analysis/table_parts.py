"""Which part of the update helps or hurts: rows of ``results_hurting``."""

from dataclasses import replace

import numpy as np

from lca_analysis.analysis.inference import HAC_METHOD, hac_mean
from lca_analysis.analysis.layer_series import PARTS, LayerSeries
from lca_analysis.analysis.multiplicity import HOLM
from lca_analysis.analysis.rows import Row, adjusted, from_test

UNDIVIDED = "the update was not divided into momentum, weight decay and fresh gradient"

_METHOD = f"{HAC_METHOD}, summed over iterations"


def part_rows(series: LayerSeries) -> list[Row]:
    """Test whether momentum carried over, weight decay and fresh gradient each help or hurt a layer.

    Null: the mean of a part of a layer's loss change is 0. Alternative: two-sided; a positive part hurts. Unit of
    replication: the iteration, of this one run. Assumptions and limits: those of `hac_mean`. Holm over layers × parts,
    and over the network's three parts. Steps whose update could not be divided are left out; in the others the three
    parts sum to the layer's loss change exactly.

    Parameters
    ----------
    series : LayerSeries
        The layers' loss change and its parts.

    Returns
    -------
    list of Row
        Quantities ``lca_momentum``, ``lca_decay`` and ``lca_gradient``, loss units; network first.
    """
    networks: list[Row] = []
    layers: list[Row] = []
    for part in PARTS:
        values = series.parts[part]
        tests = hac_mean(np.column_stack([values.sum(1), values]))
        base = Row(part, _METHOD, 0, null=f"mean {part} = 0", alternative="two-sided")
        for place, name in enumerate([None, *series.layers]):
            row = from_test(replace(base, layer=name), tests, place, float(tests.n[place]))
            row = replace(row, reason=UNDIVIDED) if row.n == 0 else row
            (networks if name is None else layers).append(row)
    return [*adjusted(networks, HOLM), *adjusted(layers, HOLM)]
