"""Pieces of a step: a rule on a stretch of the path, checked against the loss change of that stretch."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.allocation.quadrature import SIMPSON, TRAPEZOID, QuadratureRule
from lca_analysis.allocation.scheme import StepPath

Changes = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """A rule on a stretch of the path.

    Attributes
    ----------
    rule : QuadratureRule
        The rule.
    start, end : float
        The stretch, within [0, 1].
    """

    rule: QuadratureRule
    start: float = 0.0
    end: float = 1.0

    @property
    def width(self) -> float:
        """Length of the stretch."""
        return self.end - self.start

    @property
    def parent(self) -> "Piece":
        """The piece with Simpson's rule that this one is a half of."""
        start = self.start - self.width * (self.start / self.width % 2)
        return Piece(SIMPSON, start, start + 2 * self.width)

    def weighted(self, rule: QuadratureRule) -> list[tuple[float, float]]:
        """Give places and weights of a rule on this stretch."""
        return [
            (self.start + self.width * node, self.width * weight)
            for node, weight in zip(rule.nodes, rule.weights, strict=True)
        ]

    def refined(self) -> "tuple[Piece, ...]":
        """Put Simpson's rule in place of the trapezoid, two trapezoids in place of Simpson's: one new node at most."""
        if self.rule is TRAPEZOID:
            return (Piece(SIMPSON, self.start, self.end),)
        middle = self.start + self.width / 2
        return Piece(TRAPEZOID, self.start, middle), Piece(TRAPEZOID, middle, self.end)


def equal_pieces(rule: QuadratureRule, count: int) -> tuple[Piece, ...]:
    """Divide the path into equal pieces with one rule."""
    return tuple(Piece(rule, number / count, (number + 1) / count) for number in range(count))


def node_weights(pieces: Iterable[Piece]) -> dict[float, float]:
    """Give the weight of every node; a node that two pieces share has the sum of both."""
    total: dict[float, float] = {}
    for piece in pieces:
        for place, weight in piece.weighted(piece.rule):
            total[place] = total.get(place, 0.0) + weight
    return total


class Samples:
    """What the nodes of a step came to: sums by tensor, which cost little to keep, and losses.

    Parameters
    ----------
    path : StepPath
        The path of the step.
    """

    def __init__(self, path: StepPath) -> None:
        self._path = path
        self._changes: dict[float, Changes] = {}
        self._residuals: dict[Piece, NDArray[np.float64]] = {}

    def gradient(self, place: float) -> torch.Tensor:
        """Evaluate the gradient at a place of the path, and keep what it allocates to each tensor."""
        gradient = self._path.gradient(place)
        if place not in self._changes:
            self._changes[place] = self._path.layer_allocated(gradient)
        return gradient

    def changes(self, place: float) -> Changes:
        """Give Σ_i Δ_i ∂L/∂θ_i over each tensor at a node evaluated before, [views, tensors]."""
        return self._changes[place]

    def allocated(self, piece: Piece, rule: QuadratureRule | None = None) -> Changes:
        """Give what a piece allocates to each tensor, by its own rule or by another on the same nodes."""
        terms = [weight * self._changes[place] for place, weight in piece.weighted(rule or piece.rule)]
        return np.asarray(sum(terms[1:], terms[0]))

    def sizes(self, piece: Piece) -> Changes:
        """Give the mean size of each tensor's change at the nodes of a piece, times its width."""
        terms = [weight * np.abs(self._changes[place]) for place, weight in piece.weighted(piece.rule)]
        return np.asarray(sum(terms[1:], terms[0]))

    def embedded_difference(self, piece: Piece) -> Changes:
        """Give |what the rule allocates − what the rule embedded in it does|; without one, the size of the change."""
        if piece.rule.embedded is None:
            return self.sizes(piece)
        return np.abs(self.allocated(piece) - self.allocated(piece, piece.rule.embedded))

    def residual(self, piece: Piece) -> NDArray[np.float64]:
        """Give the loss change of a piece less what it allocates, [views]."""
        if piece not in self._residuals:
            before, after = (np.array(self._path.losses(place)) for place in (piece.start, piece.end))
            self._residuals[piece] = np.asarray(after - before - self.allocated(piece).sum(1))
        return self._residuals[piece]
