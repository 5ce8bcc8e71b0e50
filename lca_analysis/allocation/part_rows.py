"""The parts of the update in the `layers` table: what momentum, weight decay and the fresh gradient did to the loss."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.allocation import kernels
from lca_analysis.allocation.update_rules import Carry

if TYPE_CHECKING:
    from lca_analysis.allocation.step import StepStretch

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
    buffer : ndarray[K], or ndarray[0] for optimizers without one
        The momentum buffer before the step, as far as it is known.
    """

    carries: list[Carry]
    buffer: NDArray[Any]

    def momentum(self, part: "StepStretch") -> float:
        """Sum b ḡ over a stretch, where momentum moved it; 0 elsewhere."""
        if not self.carries[part.stretch.number].momentum:
            return 0.0
        return kernels.sum_of_products(self.buffer[part.stretch.place], part.gradient)

    def decay(self, part: "StepStretch") -> float:
        """Sum θ ḡ over a stretch, where weight decay moved it; 0 elsewhere."""
        return kernels.sum_of_products(part.weights, part.gradient) if self.carries[part.stretch.number].decay else 0.0

    def parts(
        self, lca: NDArray[np.float64], momentum: NDArray[np.float64], decay: NDArray[np.float64]
    ) -> dict[str, Any]:
        """Divide the LCA of each tensor; A = Δ ḡ is linear in Δ, and what is left is the fresh gradient's.

        Parameters
        ----------
        lca : ndarray[tensors], loss units
            What is divided.
        momentum, decay : ndarray[tensors]
            Sums of b ḡ and of θ ḡ.

        Returns
        -------
        dict
            Columns of the table.
        """
        by_momentum = np.array([_scaled(c.momentum, total) for c, total in zip(self.carries, momentum, strict=True)])
        by_decay = np.array([_scaled(c.decay, total) for c, total in zip(self.carries, decay, strict=True)])
        return {
            "lca_momentum": by_momentum,
            "lca_decay": by_decay,
            "lca_gradient": lca - by_momentum - by_decay,
            "parts_reason": [carry.reason or None for carry in self.carries],
        }


def _scaled(factor: float | None, total: float) -> float:
    """Multiply; NaN without a factor, and no negative zero."""
    return np.nan if factor is None else factor * total + 0.0
