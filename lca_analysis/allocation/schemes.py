"""Schemes: how a rule is refined along one step until the allocation meets the known change of the loss."""

from dataclasses import dataclass
from typing import Protocol

import torch

from lca_analysis.allocation.quadrature import RULES, SIMPSON, QuadratureRule, integrate
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
    """

    path_gradient: torch.Tensor
    coarse: torch.Tensor | None
    pieces: int


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
    """

    rule: QuadratureRule

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
        gradients = {node: path.gradient(node) for node in self.rule.nodes}
        fine = integrate(self.rule, gradients.__getitem__)
        coarse = None if self.rule.embedded is None else integrate(self.rule.embedded, gradients.__getitem__)
        return PathIntegral(fine, coarse, 1)


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
            residual = path.loss_change - path.allocated(fine)
            if abs(residual) <= self.tolerance or 2 * pieces > self.max_pieces:
                return PathIntegral(fine, coarse, pieces)
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
        Largest |residual| at which "paper" stops to refine.
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
    return FixedScheme(RULES[rule])


def _midpoint_sum(path: StepPath, pieces: int) -> torch.Tensor:
    """Sum the gradients at the middles of equal pieces."""
    total = path.gradient(0.5 / pieces).clone()
    for piece in range(1, pieces):
        total += path.gradient((piece + 0.5) / pieces)
    return total
