"""The adaptive schemes: refine the worst piece until the residual, or every layer's error estimate, is small enough."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lca_analysis.allocation.bounded_sum import BoundedSum
from lca_analysis.allocation.error_estimates import error_estimates, piece_errors
from lca_analysis.allocation.pieces import Piece, Samples, node_weights
from lca_analysis.allocation.quadrature import TRAPEZOID
from lca_analysis.allocation.scheme import PathIntegral, StepPath, Tolerance
from lca_analysis.allocation.tilting import tilt_of

ADAPTIVE, STRICT = "adaptive", "strict"
UNTILTED = 1.5
"""How many tolerances the pieces may miss before they are tilted: what a tilt leaves is smaller than what it takes."""
LARGEST_CANCELLATION = 2.0
"""Weights are tilted where that moves no more, all layers together, than twice what a piece misses."""
LARGEST_SHARE, SMALLEST_TOLERANCE = 0.1, 0.05
"""Strict: a layer's error may be this part of what the layer moves the loss; it need not be below this part of the
tolerance, nor may it be above the tolerance."""


@dataclass(frozen=True)
class AdaptiveScheme:
    """Trapezoid first, whose nodes neighbouring steps share; then the worst piece alone is refined, and again.

    A piece is worst whose own loss change its rule misses by most: the loss comes with every gradient. A trapezoid
    becomes Simpson's rule, Simpson's rule two trapezoids on the same nodes. It ends when what the pieces miss is within
    1.5 tolerances (root of the sum of squares); then the weights of each are tilted (`tilt_of`), so that the residual
    vanishes where that is well-conditioned. With `by_layer`, every layer's error estimate must be small enough, too.

    Attributes
    ----------
    tolerance : Tolerance
        Largest |residual| of a step.
    max_pieces : int
        Most pieces.
    kept : int
        Gradients within the step that are kept until it ends; others are evaluated again if their weight changes.
    by_layer : bool
        Whether layers' error estimates count.
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
            is_within = step.missed() <= UNTILTED * tolerance and abs(step.residual()) <= tolerance
            piece = self._of_layer(step, tolerance) if is_within else step.worst(self.max_pieces)
            if piece is None:
                # What may not be refined any more, and is not within the tolerance, is left as the rules have it.
                integral = step.integral(tilted=is_within)
                piece = step.worst(self.max_pieces)
                # Rounding may separate what the gradient allocates from what its nodes do.
                allocated = path.allocated(integral.path_gradient)
                if piece is None or abs(path.loss_change - allocated) <= tolerance:
                    return replace(integral, allocated=allocated)
            step.refine(piece)

    def _of_layer(self, step: "_Refinement", tolerance: float) -> Piece | None:
        """Find the piece to refine for the layer that needs it most; None when none does, or none may be refined."""
        if not self.by_layer:
            return None
        errors, moved = step.layer_errors()
        may = np.clip(LARGEST_SHARE * moved, SMALLEST_TOLERANCE * tolerance, tolerance)
        if (errors <= may).all():
            return None
        return step.worst(self.max_pieces, int(np.argmax(errors / np.maximum(may, np.finfo(float).tiny))))


class _Refinement:
    """The pieces of one step, and what their nodes came to."""

    def __init__(self, path: StepPath, kept: int) -> None:
        self.samples = Samples(path)
        self.pieces = [Piece(TRAPEZOID)]
        for end in (0.0, 1.0):
            self.samples.gradient(end)
        self._layers = np.asarray(path.layers, int)
        self._tilts: dict[Piece, float | None] = {}
        self._kept = kept
        self._sum = BoundedSum(path)

    def missed(self) -> float:
        """Give what the pieces miss of their loss changes, all examples together: root of the sum of squares."""
        return math.hypot(*(self._residual(piece) for piece in self.pieces))

    def residual(self) -> float:
        """Give the residual of the step that is left by the pieces that cannot be tilted, all examples together."""
        return math.fsum(self._residual(piece) for piece in self.pieces if self._tilt(piece) is None)

    def layer_errors(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the error estimate of every layer, and how much it moves the loss up and down, all examples together."""
        errors = error_estimates(self.samples, self.pieces)[0]
        moved = np.sum([self.samples.sizes(piece)[0] for piece in self.pieces], axis=0)
        by_layer = [np.bincount(self._layers, values).astype(np.float64) for values in (errors, moved)]
        return by_layer[0], by_layer[1]

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

    def integral(self, tilted: bool) -> PathIntegral:
        """Give the path-mean gradient, and what is to be said of it."""
        pieces = self._tilted() if tilted else self.pieces
        tilts = [tilt for tilt in map(self._tilt, self.pieces) if tilted and tilt is not None]
        return PathIntegral(
            self._sum.value(node_weights(pieces)),
            tuple(self.pieces),
            error_estimates(self.samples, self.pieces),
            max(tilts, key=abs, default=None),
            np.asarray(sum(self.samples.residual(piece) for piece in self.pieces)),
        )

    def _fold(self) -> None:
        """Keep no more gradients than may be: that one goes whose weight is the least likely to change."""
        while len(self._sum.kept) > self._kept:
            sizes = dict.fromkeys(self._sum.kept, 0.0)
            for piece in self.pieces:
                for place, _ in piece.weighted(piece.rule):
                    if place in sizes:
                        sizes[place] = max(sizes[place], abs(self._residual(piece)))
            place = min(sizes, key=lambda place: (sizes[place], place))
            self._sum.fold(place, node_weights(self._tilted())[place])

    def _tilted(self) -> list[Piece]:
        """Give the pieces with their rules tilted, where they can be."""
        tilted = ((piece, piece.rule.tilted(self._tilt(piece) or 0.0)) for piece in self.pieces)
        return [Piece(rule, piece.start, piece.end) for piece, rule in tilted]

    def _tilt(self, piece: Piece) -> float | None:
        """Give the tilt of a piece."""
        if piece not in self._tilts:
            self._tilts[piece] = tilt_of(self.samples, piece, self._layers, LARGEST_CANCELLATION)
        return self._tilts[piece]

    def _residual(self, piece: Piece) -> float:
        """Give the residual of a piece, all examples together."""
        return float(self.samples.residual(piece)[0])

    def _error(self, piece: Piece, layer: int) -> float:
        """Give the error of a layer on a piece."""
        return float(piece_errors(self.samples, piece)[0][self._layers == layer].sum())
