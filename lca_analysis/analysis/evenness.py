"""Whether layers learn evenly over a run, as shifts round the whole of it take for granted."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lca_analysis.analysis.inference import hac_mean

LEVEL = 0.01
"""Level of each of the two tests of evenness."""

_BLOCKS = 100


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

    Notes
    -----
    Ranks are averaged over about `_BLOCKS` blocks of iterations, where there are more iterations. The size of an AR(1)
    is no AR(1): tested by iteration, it keeps a dependence that prewhitening leaves, and even series of φ = 0.9 were
    called uneven at p ≤ 0.05 in up to 10 %.
    """
    size = np.abs(np.asarray(series, np.float64))
    level = _blocks(stats.rankdata(size, axis=0).mean(1))
    place = np.linspace(-1, 1, len(level))
    bow = place**2 - (place**2).mean()
    return hac_mean(np.column_stack([place, bow]) * (level - level.mean())[:, None]).p


def _blocks(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over blocks of equal length; what does not fill one is left out at the start."""
    size = max(len(level) // _BLOCKS, 1)
    return level[len(level) % size :].reshape(-1, size).mean(1)


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
