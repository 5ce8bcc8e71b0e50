"""Two parameters that oscillate, as examples: rows of ``results_oscillation``."""

import numpy as np

from lca_analysis.analysis.multiplicity import BENJAMINI_HOCHBERG, adjust
from lca_analysis.analysis.panel import Panel
from lca_analysis.analysis.periodicity import PERIODICITY_METHOD
from lca_analysis.analysis.rows import Row
from lca_analysis.analysis.table_oscillation import LEVEL, LayerOscillation

QUANTITY = "oscillating_parameter"


def example_rows(panel: Panel, found: list[LayerOscillation]) -> list[Row]:
    """Choose the parameter that helped most and the one that hurt most among those whose steps oscillate.

    Where fewer than two do so significantly, the two of smallest p-values are chosen, which the rows tell.

    Parameters
    ----------
    panel : Panel
        The sampled parameters.
    found : list of LayerOscillation
        What was found in the layers, every layer of the panel once.

    Returns
    -------
    list of Row
        Two rows, the period as their estimate, the one that helped more first; fewer where no more were tested.
    """
    place = np.concatenate([np.zeros(0, int), *[np.flatnonzero(panel.layer == layer.layer) for layer in found]])
    period = np.concatenate([np.zeros(0), *[layer.periods["step"][0] for layer in found]])
    p = np.concatenate([np.zeros(0), *[layer.periods["step"][1] for layer in found]])
    p_adjusted = adjust(p, BENJAMINI_HOCHBERG)
    chosen = np.flatnonzero(p_adjusted <= LEVEL)
    if len(chosen) < 2:
        tested = np.flatnonzero(np.isfinite(p))
        chosen = tested[np.argsort(p[tested], kind="stable")[:2]]
    lca = np.einsum("ti,ti->i", panel.step[:, place[chosen]].astype(float), panel.gradient[:, place[chosen]])
    ranked = chosen[np.argsort(lca, kind="stable")]
    ends = ranked if len(ranked) < 2 else ranked[[0, -1]]
    return [
        Row(
            QUANTITY, f"{PERIODICITY_METHOD}; chosen by net LCA", len(panel.step), layer=str(panel.layer[place[one]]),
            subject=str(panel.name[place[one]]), estimate=float(period[one]), p=float(p[one]),
            p_adjusted=float(p_adjusted[one]), adjustment=BENJAMINI_HOCHBERG, null="AR(1) noise",
        )
        for one in ends
    ]  # fmt: skip
