"""What the analyses of a run came to, one number for each quantity and layer: the values that runs are pooled by."""

import numpy as np

from lca_analysis.analysis.rows import EVERY_CLASS
from lca_analysis.store import Store

LAGS = ("lag", "mean_delay")
"""Quantities that have an interval over runs."""

LAG_TESTS = ("lag_minus_rest", "mean_delay_minus_rest", "mean_delay_minus_momentum")
"""Quantities that are tested against 0 over runs."""

SYNCHRONY = {
    "independent layers, circular shifts": "excess_shared_peaks",
    "independent layers, within": "excess_shared_peaks_local",
    "independent layers, in their residuals on the others' total, circular shifts": "excess_shared_peaks_residual",
    "independent layers, in their residuals on the others' total, within": "excess_shared_peaks_residual_local",
}
"""Shared moments of learning less those that each null expects, by how the null begins."""


def analysed_values(store: Store, run: str, split: str) -> dict[tuple[str, str | None], float]:
    """Read lags, delays and synchrony of an analysed run; nothing of one that is not.

    A mean delay less the momentum's counts where the run is long enough for its interval: it is biased in shorter ones.

    Parameters
    ----------
    store : Store
        The store.
    run, split : str
        Which run and split.

    Returns
    -------
    dict of (str, str or None) to float
        By quantity and layer, in training iterations and counts; NaN where the analysis refused.
    """
    values: dict[tuple[str, str | None], float] = {}
    if store.has_part("results_oscillation", run, split):
        rows = store.table("results_oscillation", run=run, split=split)
        for _, row in rows[rows["quantity"].isin((*LAGS, *LAG_TESTS))].iterrows():
            known = row["quantity"] != LAG_TESTS[2] or np.isfinite(row["low"])
            values[row["quantity"], row["layer"]] = float(row["estimate"]) if known else np.nan
    if store.has_part("results_synchronization", run, split):
        rows = store.table("results_synchronization", run=run, split=split, class_=EVERY_CLASS)
        rows = rows[rows["subject"].isna() & rows["null"].notna()]
        for begin, name in SYNCHRONY.items():
            own = rows[rows["null"].str.startswith(begin)].set_index("quantity")["estimate"]
            if {"shared_peaks", "expected_shared_peaks"} <= set(own.index):
                values[name, None] = float(own["shared_peaks"] - own["expected_shared_peaks"])
    return values
