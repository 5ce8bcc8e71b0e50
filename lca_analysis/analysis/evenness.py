"""Whether layers learn evenly over a run, as shifts round the whole of it take for granted."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lca_analysis.analysis.inference import MIN_EFFECTIVE, MIN_ITERATIONS, autoregression, long_run_variance

LEVEL = 0.01
"""Level of each of the two tests of evenness."""

_BLOCKS = 50
_FITTED = 3


def evenness_p(series: ArrayLike) -> NDArray[np.float64]:
    """Test whether the size of the layers' loss change has a trend, or a rise and fall, over the run.

    Null: the layers' sizes |A| are stationary. Alternative: their ranks, averaged over layers, follow a straight line
    (a learning rate that decays), or a parabola (one that is warmed up first). Unit of replication: blocks of
    iterations. Assumptions: weak dependence of the blocks that an AR(1) describes; any single layer may change where
    the layers' mean does not. Not valid for fewer than `MIN_ITERATIONS` iterations, nor for blocks that count as fewer
    than two independent ones beyond the three numbers that are fitted (no p-value).

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
    Ranks are averaged over about `_BLOCKS` blocks, since the size of an AR(1) is no AR(1), and keeps a dependence by
    iteration that an AR(1) leaves. A least-squares parabola is taken out before the dependence is measured, or else a
    strong trend would count as dependence and hide itself; for its three coefficients the blocks' autocorrelation φ is
    corrected by (3 + 5 φ) over their number. The long-run variance is that of `hac_mean`.
    """
    size = np.abs(np.asarray(series, np.float64))
    if len(size) < MIN_ITERATIONS:
        return np.full(2, np.nan)
    level = _blocks(stats.rankdata(size, axis=0).mean(1))
    count = len(level)
    shapes = np.linalg.qr(np.vander(np.linspace(-1, 1, count), _FITTED, increasing=True))[0]
    found = shapes.T @ level
    rest = (level - shapes @ found)[:, None]
    coefficient = autoregression(rest)[0]
    coefficient = float(np.clip(coefficient + (3 + 5 * coefficient) / count, -0.97, 0.97))
    freedom = count * (1 - coefficient) / (1 + coefficient) - _FITTED
    if np.ptp(level) == 0 or freedom < MIN_EFFECTIVE:
        return np.full(2, np.nan)
    shock = rest[1:] - coefficient * rest[:-1]
    variance = long_run_variance(shock - shock.mean())[0] * count / (count - _FITTED - 1) / (1 - coefficient) ** 2
    error = max(float(np.sqrt(variance)), np.finfo(np.float64).tiny)
    return np.asarray(2 * stats.t.sf(np.abs(found[1:]) / error, freedom))


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
        f"the layers do not learn evenly over the run (test of a trend in size: p = {p.min():.2g}), "
        "so shifts round all of it are not valid; the shifts within some steps are"
    )
