"""What the `iterations` table says of a step: a row for the whole split, and one for each class."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lca_analysis.allocation.path import RecordedPath
from lca_analysis.allocation.tensor_sums import ALL_CLASSES, Columns

OK, TOLERANCE, NONFINITE, EMPTY = "ok", "tolerance", "nonfinite", "empty"


@dataclass(frozen=True)
class Allocated:
    """The sum of what a step allocates of the loss of all classes, or of one, and the estimate of its error."""

    lca: float
    error: float


def iteration_rows(
    path: RecordedPath, allocated: list[Allocated] | None, tolerance: float, class_sizes: list[int]
) -> Columns:
    """Give the losses, their changes and what was allocated of them.

    Parameters
    ----------
    path : RecordedPath
        The step.
    allocated : list of Allocated, optional
        For the whole and for each class; None when the step could not be allocated.
    tolerance : float, loss units
        Largest |residual| that is ok.
    class_sizes : list of int
        Examples of each class; without any, there is a row for the whole only.

    Returns
    -------
    dict of str to list
        Columns of the table.
    """
    count = 1 + len(class_sizes)
    given = [None] * count if allocated is None else allocated
    rows = []
    for view in range(count):
        is_empty = view > 0 and not class_sizes[view - 1]
        losses = path.start.losses[view], path.end.losses[view]
        rows.append(_empty_row() if is_empty else _row(*losses, given[view], tolerance))
    columns: Columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {"class": list(range(ALL_CLASSES, count - 1)), **columns}


def _row(before: float, after: float, allocated: Allocated | None, tolerance: float) -> dict[str, Any]:
    """Give one row."""
    change = np.nan if allocated is None else after - before
    lca, error = (np.nan, np.nan) if allocated is None else (allocated.lca, allocated.error)
    missed = abs(change - lca) > tolerance
    return {
        "loss_before": before if math.isfinite(before) else np.nan,
        "loss_after": after if math.isfinite(after) else np.nan,
        "loss_change": change,
        "allocated": lca,
        "residual": change - lca,
        "error_estimate": error,
        "status": NONFINITE if allocated is None else TOLERANCE if missed else OK,
    }


def _empty_row() -> dict[str, Any]:
    """Give the row of a class without examples."""
    numbers = ("loss_before", "loss_after", "loss_change", "allocated", "residual", "error_estimate")
    return {**dict.fromkeys(numbers, np.nan), "status": EMPTY}
