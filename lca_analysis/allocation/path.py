"""The straight path of one step, with end points that neighbouring steps share."""

import math

import numpy as np
import torch

from lca_analysis.allocation import kernels
from lca_analysis.allocation.evaluator import SplitLoss
from lca_analysis.allocation.pieces import Changes
from lca_analysis.allocation.scheme import PathIntegral


class NotFiniteError(Exception):
    """A loss or a gradient on the path is not finite."""


def whole(gradients: torch.Tensor) -> torch.Tensor:
    """Give the gradient of the whole split, Tensor[K], of one or of a stack Tensor[views, K] whose row 0 it is."""
    return gradients[0] if gradients.dim() == 2 else gradients


class EndPoint:
    """A recorded point θ, whose loss and gradient are computed at most once."""

    def __init__(self, split_loss: SplitLoss, weights: torch.Tensor) -> None:
        self.weights = weights
        self._split_loss = split_loss
        self._losses: tuple[float, ...] | None = None
        self._gradient: torch.Tensor | None = None
        self._is_finite = False

    @property
    def has_gradient(self) -> bool:
        """Whether the gradient has been computed."""
        return self._gradient is not None

    @property
    def loss(self) -> float:
        """L(θ)."""
        return self.losses[0]

    @property
    def losses(self) -> tuple[float, ...]:
        """L(θ); where classes are told apart, followed by what each class adds to it."""
        if self._losses is None:
            self._losses = self._split_loss.loss(self.weights), *self._split_loss.shares
        return self._losses

    @property
    def gradient(self) -> torch.Tensor:
        """∂L/∂θ, Tensor[K]; where classes are told apart Tensor[1 + classes, K], row 0 the whole."""
        if self._gradient is None:
            loss, self._gradient = self._split_loss.gradient(self.weights)
            self._losses = loss, *self._split_loss.shares
            self._is_finite = _is_finite(loss, self._gradient)
        return self._gradient

    @property
    def is_finite(self) -> bool:
        """Whether the loss and all numbers of the gradient, which must have been computed, are finite."""
        return self._is_finite


class RecordedPath:
    """θ + sΔ between two recorded points, as schemes see it.

    Attributes
    ----------
    start, end : EndPoint
        The two points.
    """

    def __init__(self, split_loss: SplitLoss, start: EndPoint, end: EndPoint) -> None:
        self.start, self.end = start, end
        self._split_loss = split_loss
        self._vectors = start.weights.numpy(), end.weights.numpy()
        self._losses: dict[float, tuple[float, ...]] = {}

    @property
    def layers(self) -> list[int]:
        """For each tensor, the number of its layer."""
        return self._split_loss.layout.layer_numbers

    @property
    def loss_change(self) -> float:
        """L(θ + Δ) − L(θ)."""
        return self.end.loss - self.start.loss

    def gradient(self, s: float) -> torch.Tensor:
        """Gradient at θ + sΔ; NotFiniteError when it, or the loss there, is not finite."""
        if s in (0.0, 1.0):
            point = self.start if s == 0.0 else self.end
            gradient, is_finite = point.gradient, point.is_finite
        else:
            loss, gradient = self._split_loss.gradient(self.start.weights, self.end.weights, s)
            self._losses[s] = loss, *self._split_loss.shares
            is_finite = _is_finite(loss, gradient)
        if not is_finite:
            raise NotFiniteError
        return gradient

    def allocated(self, path_gradient: torch.Tensor) -> float:
        """Σ_i Δ_i ḡ_i of the whole split, products in the working precision, the sum in float64."""
        return math.fsum(self.layer_allocated(whole(path_gradient))[0])

    def losses(self, s: float) -> tuple[float, ...]:
        """Give the loss at an end, or where the gradient was evaluated before, followed by what each class adds."""
        return self.start.losses if s == 0.0 else self.end.losses if s == 1.0 else self._losses[s]

    def layer_allocated(self, value: torch.Tensor) -> Changes:
        """Σ_i Δ_i ḡ_i over each tensor, [1 + classes, tensors], products and sums as those of `allocated`."""
        rows = (value if value.dim() == 2 else value[None]).numpy()
        stops = self._split_loss.layout.stops
        changes = np.zeros((len(rows), len(stops)))
        for row, gradient in zip(changes, rows, strict=True):
            kernels.sum_by_tensor(*self._vectors, gradient, stops, row)
        return changes

    def check_finite(self, integral: PathIntegral) -> None:
        """Raise NotFiniteError when the loss change, or what is allocated of it, is not finite."""
        allocated = self.allocated(integral.path_gradient) if integral.allocated is None else integral.allocated
        if not math.isfinite(self.loss_change) or not math.isfinite(allocated):
            raise NotFiniteError


def _is_finite(loss: float, gradients: torch.Tensor) -> bool:
    """Whether a loss and all numbers of a gradient, or of a stack of them, are finite."""
    return math.isfinite(loss) and kernels.all_finite(gradients.view(-1).numpy())
