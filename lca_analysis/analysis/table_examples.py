"""Two parameters that oscillate, as examples: rows of ``results_oscillation``."""

import numpy as np
from numpy.typing import NDArray

from lca_analysis.analysis.multiplicity import BENJAMINI_HOCHBERG, adjust
from lca_analysis.analysis.panel import Panel
from lca_analysis.analysis.periodicity import PERIODICITY_METHOD
from lca_analysis.analysis.rows import Row
from lca_analysis.analysis.table_oscillation import LEVEL, LayerOscillation

QUANTITY = "oscillating_parameter"
MOVERS = 0.1  # a candidate moves the loss, either way, at least by this share of what the one that moves it most does


def example_rows(panel: Panel, found: list[LayerOscillation]) -> list[Row]:
    """Choose the parameter that helped most and the one that hurt most, or helped least, among those that oscillate.

    Only parameters that move the loss count: many that oscillate hardly do. Where fewer than two oscillate
    significantly, the two of smallest p-values are chosen, which the rows tell.

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
    chosen, net = _movers(panel.step[:, place[chosen]].astype(float) * panel.gradient[:, place[chosen]], chosen)
    ranked = chosen[np.argsort(net, kind="stable")]
    ends = ranked if len(ranked) < 2 else ranked[[0, -1]]
    return [
        Row(
            QUANTITY, f"{PERIODICITY_METHOD}; chosen by net LCA", len(panel.step), layer=str(panel.layer[place[one]]),
            subject=str(panel.name[place[one]]), estimate=float(period[one]), p=float(p[one]),
            p_adjusted=float(p_adjusted[one]), adjustment=BENJAMINI_HOCHBERG, null="AR(1) noise", alternative="greater",
        )
        for one in ends
    ]  # fmt: skip


def _movers(lca: NDArray[np.float64], chosen: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Keep those that move the loss, two at least, with their net LCA; `lca` is [T, N], of the N that were chosen."""
    gross = np.nansum(np.abs(lca), axis=0)
    least = min(MOVERS * gross.max(initial=0.0), *np.sort(gross)[-2:].tolist(), np.inf)
    kept = np.flatnonzero(gross >= least)
    return chosen[kept], np.nansum(lca[:, kept], axis=0)
