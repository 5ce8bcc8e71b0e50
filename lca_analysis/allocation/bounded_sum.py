"""The weighted sum of the gradients at the nodes of a step, of which few are kept at any time."""

from collections.abc import Mapping

import numpy as np
import torch

from lca_analysis.allocation import kernels
from lca_analysis.allocation.scheme import StepPath
from lca_analysis.allocation.vectors import like


class BoundedSum:
    """A sum of gradients whose weights may still change, in bounded memory.

    The gradients at the ends of a step are kept by its end points. Of those within, some are kept as they are; one that
    is folded is added to a sum with the weight it has then, and evaluated again only if its weight changes afterwards.

    Parameters
    ----------
    path : StepPath
        The path of the step.
    """

    def __init__(self, path: StepPath) -> None:
        self._path = path
        self._kept: dict[float, torch.Tensor] = {}
        self._folded: dict[float, float] = {}
        self._sum: torch.Tensor | None = None

    @property
    def kept(self) -> list[float]:
        """Places of the gradients kept as they are."""
        return list(self._kept)

    def keep(self, place: float, gradient: torch.Tensor) -> None:
        """Take in the gradient at a node within the step."""
        self._kept[place] = gradient

    def fold(self, place: float, weight: float) -> None:
        """Add a kept gradient to the sum with its present weight."""
        self._add(self._kept.pop(place), weight)
        self._folded[place] = weight

    def value(self, weights: Mapping[float, float]) -> torch.Tensor:
        """Give Σ_k w_k ∂L/∂θ (θ + s_k Δ), a new Tensor[K] or a stack of them."""
        for place, folded in self._folded.items():
            if weights[place] != folded:
                self._add(self._path.gradient(place), weights[place] - folded)
                self._folded[place] = weights[place]
        total = _blend(self._path.gradient(0.0), self._path.gradient(1.0), (weights[0.0], weights[1.0]))
        for place, gradient in self._kept.items():
            total.add_(gradient, alpha=weights[place])
        return total if self._sum is None else total.add_(self._sum)

    def _add(self, gradient: torch.Tensor, weight: float) -> None:
        """Add to the sum."""
        if self._sum is None:
            self._sum = like(gradient).zero_()
        self._sum.add_(gradient, alpha=weight)


def _blend(first: torch.Tensor, second: torch.Tensor, weights: tuple[float, float]) -> torch.Tensor:
    """Give a new weighted sum of two tensors."""
    total = like(first)
    out = total.view(-1).numpy()
    kernels.blend(first.view(-1).numpy(), second.view(-1).numpy(), np.array(weights, out.dtype), out)
    return total
