"""The adaptive schemes: refine the worst piece until the residual, or every layer's error estimate, is small enough."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.allocation.bounded_sum import BoundedSum
from lca_analysis.allocation.error_estimates import error_estimates, piece_errors
from lca_analysis.allocation.pieces import Piece, Samples, node_weights
from lca_analysis.allocation.quadrature import TRAPEZOID
from lca_analysis.allocation.scheme import PathIntegral, StepPath, Tolerance

ADAPTIVE, STRICT = "adaptive", "strict"


@dataclass(frozen=True)
class AdaptiveScheme:
    """Trapezoid first, whose nodes neighbouring steps share; then the worst piece alone is refined, and again.

    A piece is worst whose own loss change its rule misses by most: the loss comes with every gradient. A trapezoid
    becomes Simpson's rule, Simpson's rule two trapezoids on the same nodes. It ends when the residual of the step is
    within the tolerance, and with `by_layer` also every layer's error estimate.

    Attributes
    ----------
    tolerance : Tolerance
        Largest |residual| of a step.
    max_pieces : int
        Most pieces.
    kept : int
        Gradients within the step that are kept until it ends; others are evaluated again if their weight changes.
    by_layer : bool
        Whether every layer's error estimate must be within the tolerance too.
    """

    tolerance: Tolerance
    max_pieces: int
    kept: int
    by_layer: bool = False
    uses_end: bool = True

    @property
    def name(self) -> str:
        """Name that the tables carry."""
        return STRICT if self.by_layer else ADAPTIVE

    def integrate(self, path: StepPath) -> PathIntegral:
        """Refine until all is within the tolerance, or nothing may be refined any more."""
        step = _Refinement(path, self.kept)
        tolerance = self.tolerance.of(path.loss_change)
        while True:
            piece = self._to_refine(step, tolerance)
            if piece is not None:
                step.refine(piece)
                continue
            gradient = step.path_gradient()
            piece = step.worst(self.max_pieces)
            # Rounding may separate what the gradient allocates from what its nodes do.
            if piece is None or abs(path.loss_change - path.allocated(gradient)) <= tolerance:
                return PathIntegral(gradient, tuple(step.pieces), error_estimates(step.samples, step.pieces))
            step.refine(piece)

    def _to_refine(self, step: "_Refinement", tolerance: float) -> Piece | None:
        """Find the piece to refine; None when all is within the tolerance, or all pieces are as fine as may be."""
        if abs(step.residual()) > tolerance:
            return step.worst(self.max_pieces)
        if self.by_layer:
            layer = step.layer_errors()
            if layer.max(initial=0.0) > tolerance:
                return step.worst(self.max_pieces, int(layer.argmax()))
        return None


class _Refinement:
    """The pieces of one step, and what their nodes came to."""

    def __init__(self, path: StepPath, kept: int) -> None:
        self.samples = Samples(path)
        self.pieces = [Piece(TRAPEZOID)]
        for end in (0.0, 1.0):
            self.samples.gradient(end)
        self._layers = np.asarray(path.layers, int)
        self._kept = kept
        self._sum = BoundedSum(path)

    def residual(self) -> float:
        """Give the residual of the step, all examples together."""
        return sum(self._residual(piece) for piece in self.pieces)

    def layer_errors(self) -> NDArray[np.float64]:
        """Give the error estimate of every layer, all examples together."""
        return np.bincount(self._layers, error_estimates(self.samples, self.pieces)[0]).astype(np.float64)

    def worst(self, max_pieces: int, layer: int | None = None) -> Piece | None:
        """Find the piece with the largest |residual|, or the largest error of a layer, among those to be refined."""
        may = [piece for piece in self.pieces if piece.rule is TRAPEZOID or len(self.pieces) < max_pieces]
        if layer is None:
            return max(may, key=lambda piece: abs(self._residual(piece)), default=None)
        return max(may, key=lambda piece: self._error(piece, layer), default=None)

    def refine(self, piece: Piece) -> None:
        """Refine one piece, with one new node or none."""
        number = self.pieces.index(piece)
        if piece.rule is TRAPEZOID:
            middle = piece.start + piece.width / 2
            gradient = self.samples.gradient(middle)
            self.pieces[number : number + 1] = piece.refined()
            self._sum.keep(middle, gradient)
            self._fold()
        else:
            self.pieces[number : number + 1] = piece.refined()

    def path_gradient(self) -> torch.Tensor:
        """Give the path-mean gradient."""
        return self._sum.value(node_weights(self.pieces))

    def _fold(self) -> None:
        """Keep no more gradients than may be: that one goes whose weight is the least likely to change."""
        while len(self._sum.kept) > self._kept:
            sizes = dict.fromkeys(self._sum.kept, 0.0)
            for piece in self.pieces:
                for place, _ in piece.weighted(piece.rule):
                    if place in sizes:
                        sizes[place] = max(sizes[place], abs(self._residual(piece)))
            place = min(sizes, key=lambda place: (sizes[place], place))
            self._sum.fold(place, node_weights(self.pieces)[place])

    def _residual(self, piece: Piece) -> float:
        """Give the residual of a piece, all examples together."""
        return float(self.samples.residual(piece)[0])

    def _error(self, piece: Piece, layer: int) -> float:
        """Give the error of a layer on a piece."""
        return float(piece_errors(self.samples, piece)[0][self._layers == layer].sum())
