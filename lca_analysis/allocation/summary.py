"""What a computation came to."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lca_analysis.store import Store


@dataclass(frozen=True)
class SplitSummary:
    """One split of a computed run.

    Attributes
    ----------
    split : str
        Its name.
    iterations : int
        Steps.
    loss_change : float
        L(θ_T) − L(θ_0); NaN when one of them is not finite.
    allocated : float
        Σ_t Σ_i A_{t,i}.
    largest_residual : float
        Largest |residual| of an iteration.
    gradient_evaluations : int
        Gradients over the whole split that the iterations used.
    tolerance_missed, nonfinite : tuple of int
        Iterations whose residual exceeds the tolerance, and those without a finite loss or gradient.
    """

    split: str
    iterations: int
    loss_change: float
    allocated: float
    largest_residual: float
    gradient_evaluations: int
    tolerance_missed: tuple[int, ...]
    nonfinite: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """A computed run.

    Attributes
    ----------
    run : str
        Its name in the store.
    splits : tuple of SplitSummary
        What each split came to.
    computed, reused : int
        Iteration ranges computed now, and found in the store.
    seconds : float
        Wall time of this call.
    notes : tuple of str
        What is to be known of the numbers.
    """

    run: str
    splits: tuple[SplitSummary, ...]
    computed: int
    reused: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def nonfinite(self) -> tuple[tuple[str, int], ...]:
        """Splits and iterations that could not be allocated."""
        return tuple((split.split, iteration) for split in self.splits for iteration in split.nonfinite)

    @property
    def tolerance_missed(self) -> tuple[tuple[str, int], ...]:
        """Splits and iterations whose residual exceeds the tolerance."""
        return tuple((split.split, iteration) for split in self.splits for iteration in split.tolerance_missed)

    @property
    def did_nothing(self) -> bool:
        """Whether the store already had everything."""
        return self.computed == 0

    def to_dict(self) -> dict[str, Any]:
        """Give the summary as plain values."""
        return asdict(self)


def summarize_split(store: Store, run: str, split: str) -> SplitSummary:
    """Summarise a computed split from its `iterations` table."""
    rows = store.table("iterations", run=run, split=split, class_=-1)
    residual = rows["residual"].abs().to_numpy(float)
    change = float(rows["loss_after"].iloc[-1] - rows["loss_before"].iloc[0])
    return SplitSummary(
        split,
        len(rows),
        change,
        float(rows["allocated"].sum(min_count=1)),
        float(np.nanmax(residual)) if np.isfinite(residual).any() else float("nan"),
        int(rows["gradient_evaluations"].sum()),
        tuple(rows.loc[rows["status"] == "tolerance", "iteration"].tolist()),
        tuple(rows.loc[rows["status"] == "nonfinite", "iteration"].tolist()),
    )
