"""Schemes: how a rule is refined along one step until the allocation meets the known change of the loss."""

from dataclasses import dataclass
from typing import Protocol

import torch

from lca_analysis.allocation.quadrature import RULES, SIMPSON, QuadratureRule
from lca_analysis.errors import ArgumentError

PAPER = "paper"


class StepPath(Protocol):
    """What a scheme sees of a step: gradients on the straight path, s in [0, 1], and the change of the loss."""

    @property
    def loss_change(self) -> float:
        """Loss at the end less loss at the start; asking for it after the end gradients costs nothing."""

    def gradient(self, s: float) -> torch.Tensor:
        """Give the gradient at θ + sΔ, a Tensor[K] that is not overwritten later."""

    def allocated(self, path_gradient: torch.Tensor) -> float:
        """Sum the loss change that a path-mean gradient allocates to the parameters."""


@dataclass(frozen=True)
class PathIntegral:
    """The path-mean gradient of a step.

    Attributes
    ----------
    path_gradient : Tensor[K]
        ∫₀¹ ∂L/∂θ (θ + sΔ) ds as the scheme computes it.
    coarse : Tensor[K], optional
        The same by the scheme's next coarser estimate; the difference estimates the error.
    pieces : int
        Pieces that the step was divided into.
    met : bool
        Whether |residual| is within the tolerance.
    """

    path_gradient: torch.Tensor
    coarse: torch.Tensor | None
    pieces: int
    met: bool


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


@dataclass(frozen=True)
class FixedScheme:
    """One rule on one piece, whatever the residual.

    Attributes
    ----------
    rule : QuadratureRule
        The rule.
    tolerance : float, loss units
        Largest |residual| that counts as met.
    """

    rule: QuadratureRule
    tolerance: float

    @property
    def name(self) -> str:
        """Name of the rule."""
        return self.rule.name

    @property
    def uses_end(self) -> bool:
        """Whether the rule has the end of the step as a node."""
        return self.rule.uses_end

    def integrate(self, path: StepPath) -> PathIntegral:
        """Apply the rule once; its embedded rule, where it has one, gives the coarse estimate."""
        gradients = [path.gradient(node) for node in self.rule.nodes]
        fine = _combine(self.rule.weights, gradients)
        coarse = None if self.rule.embedded is None else _combine(self.rule.embedded, gradients)
        return PathIntegral(fine, coarse, 1, _met(path, fine, self.tolerance))


@dataclass(frozen=True)
class HalvingScheme:
    """Simpson's rule on 1, 2, 4, … equal pieces until the residual is within the tolerance (Lan et al. 2019).

    All nodes of a level are nodes of the next, with one weight for the old and another for the new ones: sums over
    the ends, the interior and the fresh nodes are all that is kept.

    Attributes
    ----------
    tolerance : float, loss units
        Largest |residual| at which no piece is halved any more.
    max_pieces : int
        Most pieces, a power of two.
    """

    tolerance: float
    max_pieces: int
    name: str = PAPER
    uses_end: bool = True

    def integrate(self, path: StepPath) -> PathIntegral:
        """Refine; the coarse estimate is the level before, that of one piece the trapezoid on its ends."""
        end_weight, fresh_weight, _ = SIMPSON.weights
        ends = path.gradient(0.0) + path.gradient(1.0)
        fresh = path.gradient(0.5)
        interior = torch.zeros_like(ends)
        coarse, pieces = ends / 2, 1
        while True:
            fine = (end_weight * (ends + 2 * interior) + fresh_weight * fresh) / pieces
            met = _met(path, fine, self.tolerance)
            if met or 2 * pieces > self.max_pieces:
                return PathIntegral(fine, coarse, pieces, met)
            interior += fresh
            coarse, pieces = fine, 2 * pieces
            fresh = _midpoint_sum(path, pieces)


def make_scheme(rule: str, tolerance: float, max_pieces: int) -> Scheme:
    """Make a scheme by name.

    Parameters
    ----------
    rule : str
        "paper" for Simpson with halving, or the name of a rule in `RULES` for that rule on one piece.
    tolerance : float, loss units
        Largest |residual| that counts as met.
    max_pieces : int
        Most pieces for "paper", a power of two.

    Returns
    -------
    Scheme
        The scheme.

    Raises
    ------
    ArgumentError
        The rule is unknown, the tolerance negative, or max_pieces no power of two.
    """
    if not tolerance >= 0:
        raise ArgumentError(f"tolerance must be 0 or more, not {tolerance!r}")
    if not isinstance(max_pieces, int) or max_pieces < 1 or max_pieces & (max_pieces - 1):
        raise ArgumentError(f"max_pieces must be a power of two (1, 2, 4, …), not {max_pieces!r}")
    if rule == PAPER:
        return HalvingScheme(tolerance, max_pieces)
    if rule not in RULES:
        raise ArgumentError(f"there is no rule {rule!r}; the rules are: {', '.join([PAPER, *RULES])}")
    return FixedScheme(RULES[rule], tolerance)


def _met(path: StepPath, path_gradient: torch.Tensor, tolerance: float) -> bool:
    """Whether what is allocated is the loss change, within the tolerance."""
    return abs(path.loss_change - path.allocated(path_gradient)) <= tolerance


def _combine(weights: tuple[float, ...], gradients: list[torch.Tensor]) -> torch.Tensor:
    """Sum gradients with weights."""
    total = weights[0] * gradients[0]
    for weight, gradient in zip(weights[1:], gradients[1:], strict=True):
        total.add_(gradient, alpha=weight)
    return total


def _midpoint_sum(path: StepPath, pieces: int) -> torch.Tensor:
    """Sum the gradients at the middles of equal pieces."""
    total = path.gradient(0.5 / pieces).clone()
    for piece in range(1, pieces):
        total += path.gradient((piece + 0.5) / pieces)
    return total
