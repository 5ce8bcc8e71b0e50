"""Schemes by name: a rule applied once, and the paper's halving; the others are in modules of their own."""

from dataclasses import dataclass

import torch

from lca_analysis.allocation.adaptive import ADAPTIVE, STRICT, AdaptiveScheme
from lca_analysis.allocation.error_estimates import error_estimates
from lca_analysis.allocation.fast import FAST, FastScheme
from lca_analysis.allocation.pieces import Piece, Samples, equal_pieces
from lca_analysis.allocation.quadrature import RULES, SIMPSON, QuadratureRule, integrate
from lca_analysis.allocation.scheme import PathIntegral, Scheme, StepPath, Tolerance
from lca_analysis.errors import ArgumentError

PAPER = "paper"
MODES = (ADAPTIVE, STRICT, FAST, PAPER)


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
        """Apply the rule once."""
        samples, pieces = Samples(path), (Piece(self.rule),)
        gradient = integrate(self.rule, samples.gradient)
        return PathIntegral(gradient, pieces, error_estimates(samples, pieces))


@dataclass(frozen=True)
class HalvingScheme:
    """Simpson's rule on 1, 2, 4, … equal pieces until the residual is within the tolerance (Lan et al. 2019).

    All nodes of a level are nodes of the next, with one weight for the old and another for the new ones: sums over
    the ends, the interior and the fresh nodes are all that is kept.

    Attributes
    ----------
    tolerance : Tolerance
        Largest |residual| at which no piece is halved any more.
    max_pieces : int
        Most pieces, a power of two.
    """

    tolerance: Tolerance
    max_pieces: int
    name: str = PAPER
    uses_end: bool = True

    def integrate(self, path: StepPath) -> PathIntegral:
        """Refine."""
        samples = Samples(path)
        end_weight, fresh_weight, _ = SIMPSON.weights
        ends = samples.gradient(0.0) + samples.gradient(1.0)
        fresh = samples.gradient(0.5)
        interior = torch.zeros_like(ends)
        tolerance, pieces = self.tolerance.of(path.loss_change), 1
        while True:
            fine = (end_weight * (ends + 2 * interior) + fresh_weight * fresh) / pieces
            residual = path.loss_change - path.allocated(fine)
            if abs(residual) <= tolerance or 2 * pieces > self.max_pieces:
                used = equal_pieces(SIMPSON, pieces)
                return PathIntegral(fine, used, error_estimates(samples, used))
            interior += fresh
            pieces = 2 * pieces
            fresh = _midpoint_sum(samples, pieces)


def make_scheme(rule: str, tolerance: Tolerance, max_pieces: int, kept: int = 2) -> Scheme:
    """Make a scheme by name.

    Parameters
    ----------
    rule : str
        "adaptive", "strict", "fast" or "paper", or the name of a rule in `RULES` for that rule on one piece.
    tolerance : Tolerance
        Largest |residual| at which "adaptive", "strict" and "paper" stop to refine.
    max_pieces : int
        Most pieces for them, a power of two.
    kept : int
        Gradients within a step that "adaptive" and "strict" keep until its end.

    Returns
    -------
    Scheme
        The scheme.

    Raises
    ------
    ArgumentError
        The rule is unknown, the tolerance negative, max_pieces no power of two, or kept negative.
    """
    for value in (tolerance.absolute, tolerance.relative):
        if not value >= 0:
            raise ArgumentError(f"tolerance must be 0 or more, not {value!r}")
    if not isinstance(max_pieces, int) or max_pieces < 1 or max_pieces & (max_pieces - 1):
        raise ArgumentError(f"max_pieces must be a power of two (1, 2, 4, …), not {max_pieces!r}")
    if not isinstance(kept, int) or kept < 0:
        raise ArgumentError(f"kept_gradients must be 0 or more, not {kept!r}")
    if rule in (ADAPTIVE, STRICT):
        return AdaptiveScheme(tolerance, max_pieces, kept, by_layer=rule == STRICT)
    if rule == FAST:
        return FastScheme()
    if rule == PAPER:
        return HalvingScheme(tolerance, max_pieces)
    if rule not in RULES:
        raise ArgumentError(f"there is no rule {rule!r}; the rules are: {', '.join([*MODES, *RULES])}")
    return FixedScheme(RULES[rule])


def _midpoint_sum(samples: Samples, pieces: int) -> torch.Tensor:
    """Sum the gradients at the middles of equal pieces."""
    total = samples.gradient(1 / (2 * pieces)).clone()
    for piece in range(1, pieces):
        total += samples.gradient((2 * piece + 1) / (2 * pieces))
    return total
