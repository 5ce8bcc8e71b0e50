"""What a scheme is: it integrates the gradient along one step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from lca_analysis.allocation.pieces import Changes, Piece


class StepPath(Protocol):
    """What a scheme sees of a step: gradients and losses on the straight path, s in [0, 1].

    Values may be stacks, Tensor[views, K], of which row 0 is the gradient of the whole split: schemes combine them
    linearly, and decide by row 0.
    """

    @property
    def loss_change(self) -> float:
        """Loss at the end less loss at the start; asking for it after the end gradients costs nothing."""

    @property
    def layers(self) -> Sequence[int]:
        """For each tensor, the number of its layer."""

    def gradient(self, s: float) -> torch.Tensor:
        """Give the gradient at θ + sΔ, a Tensor[K] that is not overwritten later."""

    def losses(self, s: float) -> tuple[float, ...]:
        """Give the loss of every view at the ends, or where the gradient was evaluated before."""

    def allocated(self, value: torch.Tensor) -> float:
        """Sum the loss change that a path-mean gradient allocates to the parameters."""

    def layer_allocated(self, value: torch.Tensor) -> "Changes":
        """Sum it by tensor, [views, tensors]."""


@dataclass(frozen=True)
class Tolerance:
    """The largest |residual| of an iteration: absolute, or relative to its loss change where that allows more.

    Attributes
    ----------
    absolute : float, loss units
        Allowed in any case.
    relative : float
        Allowed as a fraction of |ΔL|.
    """

    absolute: float
    relative: float = 0.0

    def of(self, loss_change: float) -> float:
        """Give the largest |residual| of an iteration with this loss change."""
        return max(self.absolute, self.relative * abs(loss_change))


@dataclass(frozen=True)
class PathIntegral:
    """The path-mean gradient of a step.

    Attributes
    ----------
    path_gradient : Tensor[K]
        ∫₀¹ ∂L/∂θ (θ + sΔ) ds as the scheme computes it.
    pieces : tuple of Piece
        What the step was divided into, with the rules as they are before they are tilted.
    errors : ndarray[views, tensors], loss units
        Estimates of |error| of what is allocated to each tensor.
    tilt : float, optional
        How much weight was moved from the start of a piece to its end, of the piece where it is most; None where none
        was.
    untilted_residual : ndarray[views], loss units, optional
        The residual as it would be without the tilt; None from schemes that never tilt.
    allocated : float, loss units, optional
        What the path-mean gradient allocates to all parameters, where the scheme has summed it.
    """

    path_gradient: torch.Tensor
    pieces: "tuple[Piece, ...]"
    errors: "Changes"
    tilt: float | None = None
    untilted_residual: "Changes | None" = None
    allocated: float | None = None


class Scheme(Protocol):
    """A way to integrate the gradient along a step."""

    @property
    def name(self) -> str:
        """Name that the tables carry."""

    @property
    def uses_end(self) -> bool:
        """Whether the end of a step is a node, whose gradient the next step can use."""

    def integrate(self, path: StepPath) -> PathIntegral:
        """Integrate the gradient along a step."""
