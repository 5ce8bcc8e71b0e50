"""One step with its allocation: what every reducer takes, stretch by stretch."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.allocation import kernels
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.part_rows import Update
from lca_analysis.allocation.stretches import STRETCH, Stretch

Numbers = NDArray[Any]


class StepStretch(NamedTuple):
    """A stretch of a step; arrays of its size in the working precision.

    Attributes
    ----------
    stretch : Stretch
        Which parameters.
    weights : ndarray
        θ at the step's start.
    moved : ndarray
        Δ.
    gradient : ndarray
        ḡ, the mean gradient on the path.
    lca : ndarray, loss units
        A = Δ ḡ (Lan et al. 2019, eq. 4 with the integral kept); negative where a parameter helped.
    """

    stretch: Stretch
    weights: Numbers
    moved: Numbers
    gradient: Numbers
    lca: Numbers


@dataclass(frozen=True)
class AllocatedStep:
    """A step of the run, and the loss change that each parameter caused in it.

    Attributes
    ----------
    iteration, iteration_next : int
        Recorded points at its ends.
    weights, weights_next : Tensor[K]
        θ at its start and at its end.
    path_gradient : Tensor[K]
        ḡ, the mean gradient on the path.
    errors : ndarray[tensors], loss units
        Estimates of |error| of each tensor's lca.
    update : Update
        How the optimizer made it.
    """

    iteration: int
    iteration_next: int
    weights: torch.Tensor
    weights_next: torch.Tensor
    path_gradient: torch.Tensor
    errors: NDArray[np.float64]
    update: Update

    def stretches(self, layout: Layout) -> Iterator[StepStretch]:
        """Go through the step; Δ and A of a stretch are overwritten by those of the next."""
        weights, weights_next, gradient = self._vectors
        moved, lca = (np.empty(min(STRETCH, layout.size), weights.dtype) for _ in range(2))
        for stretch in layout.stretches:
            place, size = stretch.place, stretch.size
            part = StepStretch(stretch, weights[place], moved[:size], gradient[place], lca[:size])
            kernels.allocate(part.weights, weights_next[place], part.gradient, part.moved, part.lca)
            yield part

    def at(self, where: Any) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Give θ, Δ, ḡ and A of some parameters, a slice or an array of places."""
        weights, weights_next, gradient = (vector[where] for vector in self._vectors)
        moved = weights_next - weights
        return weights, moved, gradient, moved * gradient

    @cached_property
    def _vectors(self) -> tuple[Numbers, Numbers, Numbers]:
        """The tensors, as numpy sees them."""
        return self.weights.numpy(), self.weights_next.numpy(), self.path_gradient.numpy()
