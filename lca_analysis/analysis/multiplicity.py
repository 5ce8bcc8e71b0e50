"""Correction of p-values for the number of tests."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.multitest import multipletests

from lca_analysis.errors import ArgumentError

HOLM = "Holm"
BENJAMINI_HOCHBERG = "Benjamini–Hochberg"
_METHODS = {HOLM: "holm", BENJAMINI_HOCHBERG: "fdr_bh"}


def adjust(p: ArrayLike, adjustment: str = HOLM) -> NDArray[np.float64]:
    """Correct p-values for the number of tests; a missing one stays missing and is not counted.

    Parameters
    ----------
    p : array_like[N] float
        p-values; NaN where there is no test.
    adjustment : str
        "Holm" (no false positive in the family, any dependence) or "Benjamini–Hochberg"
        (share of false positives; independent or positively dependent tests).

    Returns
    -------
    ndarray[N] float64
        Corrected p-values, at most 1.

    Raises
    ------
    ArgumentError
        The correction is unknown, or a p-value lies outside 0 to 1.
    """
    if adjustment not in _METHODS:
        raise ArgumentError(f"there is no adjustment {adjustment!r}; use {' or '.join(_METHODS)}")
    values = np.asarray(p, np.float64)
    tested = ~np.isnan(values)
    if ((values[tested] < 0) | (values[tested] > 1)).any():
        raise ArgumentError("p-values lie between 0 and 1")
    adjusted = np.full(values.shape, np.nan)
    if tested.any():
        adjusted[tested] = multipletests(values[tested], method=_METHODS[adjustment])[1]
    return adjusted
