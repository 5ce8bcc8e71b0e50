"""Whether layers learn evenly over a run, as shifts round the whole of it take for granted."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lca_analysis.analysis.inference import hac_mean

LEVEL = 0.01
"""Level of each of the two tests of evenness."""


def evenness_p(series: ArrayLike) -> NDArray[np.float64]:
    """Test whether the size of the layers' loss change has a trend, or a rise and fall, over the run.

    Null: the layers' sizes |A| are stationary. Alternative: their ranks, averaged over layers, follow a straight line
    (a learning rate that decays), or a parabola (one that is warmed up first). Unit of replication: the iteration.
    Assumptions and limits: those of `hac_mean`; any single layer may change where the layers' mean does not.

    Parameters
    ----------
    series : array_like[T, L] float
        Loss change of L layers, all finite, loss units.

    Returns
    -------
    ndarray[2] float64
        p-values of line and parabola; NaN where there is no test.
    """
    size = np.abs(np.asarray(series, np.float64))
    level = stats.rankdata(size, axis=0).mean(1)
    place = np.linspace(-1, 1, len(size))
    bow = place**2 - (place**2).mean()
    return hac_mean(np.column_stack([place, bow]) * (level - level.mean())[:, None]).p


def why_uneven(series: ArrayLike) -> str | None:
    """Say why shifts round the whole run are not valid, or None where nothing speaks against them.

    Parameters
    ----------
    series : array_like[T, L] float
        Loss change of L layers, all finite.

    Returns
    -------
    str or None
        A reason, where a p-value of `evenness_p` is at most `LEVEL`, or cannot be had.
    """
    p = evenness_p(series)
    if np.isnan(p).any():
        return "whether the layers learn evenly over the run cannot be tested, so shifts round all of it are not valid"
    if p.min() > LEVEL:
        return None
    return (
        f"the layers do not learn evenly over the run (HAC test of a trend in size: p = {p.min():.2g}), "
        "so shifts round all of it are not valid; the shifts within some steps are"
    )
