"""The parts of the update in the `layers` table: what momentum, weight decay and the fresh gradient did to the loss."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lca_analysis.allocation.layout import Place
from lca_analysis.allocation.update_rules import Carry

NO_PARTS: dict[str, Any] = {
    **dict.fromkeys(("lca_momentum", "lca_decay", "lca_gradient"), np.nan),
    "parts_reason": None,
}
"""Of a row without an allocation."""


@dataclass(frozen=True)
class Update:
    """How the optimizer made a step.

    Attributes
    ----------
    carries : list of Carry
        Of each tensor.
    buffer : Tensor[K], or Tensor[0] for optimizers without one
        The momentum buffer before the step, as far as it is known.
    """

    carries: list[Carry]
    buffer: torch.Tensor

    def parts(
        self, number: int, place: Place, weights: torch.Tensor, gradient: torch.Tensor, lca: float
    ) -> dict[str, Any]:
        """Divide the LCA of one tensor; A = Δ ḡ is linear in Δ, and what is left is the fresh gradient's.

        Parameters
        ----------
        number : int
            Of the tensor.
        place : Place
            Its stretch of the flat vectors.
        weights, gradient : Tensor[K]
            θ at the step's start, and ḡ.
        lca : float, loss units
            Of the tensor.

        Returns
        -------
        dict
            Columns of the table.
        """
        carry = self.carries[number]
        momentum = _part(carry.momentum, self.buffer, gradient, place)
        decay = _part(carry.decay, weights, gradient, place)
        return {
            "lca_momentum": momentum,
            "lca_decay": decay,
            "lca_gradient": lca - momentum - decay,
            "parts_reason": carry.reason or None,
        }


def _part(factor: float | None, moved: torch.Tensor, gradient: torch.Tensor, place: Place) -> float:
    """Sum factor · moved · ḡ over a tensor, in float64; NaN without a factor."""
    if factor is None:
        return float("nan")
    if not factor:
        return 0.0
    return factor * float((moved[place.slice] * gradient[place.slice]).sum(dtype=torch.float64))
