"""Sums over each tensor of a step: the rows of the `layers` table."""

from typing import Any

import numpy as np

from lca_analysis.allocation import kernels
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.part_rows import NO_PARTS, Update
from lca_analysis.allocation.step import AllocatedStep, StepStretch

Columns = dict[str, Any]
ALL_CLASSES = -1
_SUMS = ("lca_helping", "lca_hurting", "step_norm2", "gradient_norm2")
_COUNTS = ("n_helping", "n_hurting")


class TensorSums:
    """Reduces a step, as far as the loss of one class or of all goes, to a row per tensor; sums are in float64."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._sums = np.zeros((len(layout.places), len(_SUMS)))
        self._counts = np.zeros((len(layout.places), len(_COUNTS)), np.int64)
        self._momentum, self._decay = np.zeros(len(layout.places)), np.zeros(len(layout.places))

    def add(self, part: StepStretch, update: Update) -> None:
        """Take in a stretch."""
        number = part.stretch.number
        kernels.sum_stretch(part.moved, part.gradient, part.lca, self._sums[number], self._counts[number])
        self._momentum[number] += update.momentum(part)
        self._decay[number] += update.decay(part)

    def rows(self, step: AllocatedStep, label: int = ALL_CLASSES) -> Columns:
        """Give the rows, once every stretch is in."""
        sums, places = dict(zip(_SUMS, self._sums.T, strict=True)), self._layout.places
        n_helping, n_hurting = self._counts.T
        lca = sums["lca_helping"] + sums["lca_hurting"]
        return {
            **_keys(self._layout, step.iteration, label),
            "lca": lca,
            **sums,
            "n_helping": n_helping,
            "n_hurting": n_hurting,
            "n_zero": np.array([place.tensor.size for place in places]) - n_helping - n_hurting,
            "error_estimate": step.errors,
            **step.update.parts(lca, self._momentum, self._decay),
        }


def null_tensor_rows(layout: Layout, iteration: int, label: int = ALL_CLASSES) -> Columns:
    """Give rows of the `layers` table for what has no allocation: null sums, zero counts."""
    return {
        **_keys(layout, iteration, label),
        **dict.fromkeys(("lca", *_SUMS, "error_estimate"), np.nan),
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
