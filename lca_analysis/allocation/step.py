"""One step with its allocation: what every reducer takes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.allocation.part_rows import Update


@dataclass(frozen=True)
class AllocatedStep:
    """A step of the run, and the loss change that each parameter caused in it.

    Attributes
    ----------
    iteration, iteration_next : int
        Recorded points at its ends.
    weights : Tensor[K]
        θ at its start.
    step : Tensor[K]
        Δ.
    path_gradient : Tensor[K]
        ḡ, the mean gradient on the path.
    lca : Tensor[K], loss units
        A = Δ ḡ (Lan et al. 2019, eq. 4 with the integral kept); negative where a parameter helped.
    errors : ndarray[tensors], loss units
        Estimates of |error| of each tensor's lca.
    update : Update
        How the optimizer made it.
    """

    iteration: int
    iteration_next: int
    weights: torch.Tensor
    step: torch.Tensor
    path_gradient: torch.Tensor
    lca: torch.Tensor
    errors: NDArray[np.float64]
    update: Update
