"""Sums over each tensor of a step: the rows of the `layers` table."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.part_rows import NO_PARTS, Update
from lca_analysis.allocation.step import AllocatedStep, StepStretch

Columns = dict[str, Any]
ALL_CLASSES = -1
_SUMS = ("lca_helping", "lca_hurting", "step_norm2", "gradient_norm2", "momentum", "decay")
_COUNTS = ("n_helping", "n_hurting")


class TensorSums:
    """Reduces a step, as far as the loss of one class or of all goes, to a row per tensor; sums are in float64."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._sums = {name: np.zeros(len(layout.places)) for name in _SUMS}
        self._counts = {name: np.zeros(len(layout.places), np.int64) for name in _COUNTS}

    def add(self, part: StepStretch, update: Update) -> None:
        """Take in a stretch."""
        number = part.stretch.number
        found = {
            "lca_helping": float(np.minimum(part.lca, 0).sum(dtype=np.float64)),
            "lca_hurting": float(np.maximum(part.lca, 0).sum(dtype=np.float64)),
            "step_norm2": _squares(part.moved),
            "gradient_norm2": _squares(part.gradient),
            "momentum": update.momentum(part),
            "decay": update.decay(part),
        }
        for name, value in found.items():
            self._sums[name][number] += value
        self._counts["n_helping"][number] += np.count_nonzero(part.lca < 0)
        self._counts["n_hurting"][number] += np.count_nonzero(part.lca > 0)

    def rows(self, step: AllocatedStep, label: int = ALL_CLASSES) -> Columns:
        """Give the rows, once every stretch is in."""
        sums, places = self._sums, self._layout.places
        n_helping, n_hurting = (self._counts[name] for name in _COUNTS)
        lca = sums["lca_helping"] + sums["lca_hurting"]
        return {
            **_keys(self._layout, step.iteration, label),
            "lca": lca,
            **{name: sums[name] for name in _SUMS[:4]},
            "n_helping": n_helping,
            "n_hurting": n_hurting,
            "n_zero": np.array([place.tensor.size for place in places]) - n_helping - n_hurting,
            "error_estimate": step.errors,
            **step.update.parts(lca, sums["momentum"], sums["decay"]),
        }


def null_tensor_rows(layout: Layout, iteration: int, label: int = ALL_CLASSES) -> Columns:
    """Give rows of the `layers` table for what has no allocation: null sums, zero counts."""
    return {
        **_keys(layout, iteration, label),
        **dict.fromkeys(("lca", *_SUMS[:4], "error_estimate"), np.nan),
        **dict.fromkeys(("n_helping", "n_hurting", "n_zero"), 0),
        **NO_PARTS,
    }


def _keys(layout: Layout, iteration: int, label: int) -> Columns:
    """Say what the rows are of."""
    return {
        "iteration": iteration,
        "class": label,
        "layer": [place.tensor.layer for place in layout.places],
        "tensor": [place.tensor.name for place in layout.places],
        "kind": [place.tensor.kind for place in layout.places],
    }


def _squares(values: NDArray[Any]) -> float:
    """Sum the squares in float64."""
    return float(np.square(values, dtype=np.float64).sum())
