"""The fast scheme: one new gradient a step, and what the known change of the loss says about it."""

from dataclasses import dataclass

import numpy as np

from lca_analysis.allocation.error_estimates import error_estimates
from lca_analysis.allocation.pieces import Piece, Samples
from lca_analysis.allocation.quadrature import EULER, TRAPEZOID, QuadratureRule
from lca_analysis.allocation.scheme import PathIntegral, StepPath

FAST = "fast"
LARGEST_TILT, LARGEST_CANCELLATION = 0.5, 8.0


@dataclass(frozen=True)
class FastScheme:
    """The trapezoid with its weights tilted, (½ − τ, ½ + τ), so that the known loss change is what it allocates.

    τ is the trapezoid's residual over Σ_i Δ_i (∂L/∂θ_i at the end − at the start). Where layers cancel in that sum, τ
    moves each by far more than the residual: where it is too large, or they cancel too much, the weights stay as they
    are, and the residual is left.

    Attributes
    ----------
    largest_tilt : float
        Largest |τ|.
    largest_cancellation : float
        Largest Σ_layers |difference| / |Σ_layers difference|.
    """

    largest_tilt: float = LARGEST_TILT
    largest_cancellation: float = LARGEST_CANCELLATION
    name: str = FAST
    uses_end: bool = True

    def integrate(self, path: StepPath) -> PathIntegral:
        """Take the ends, and tilt."""
        samples = Samples(path)
        start, end = samples.gradient(0.0), samples.gradient(1.0)
        tilt = self._tilt(samples, path)
        rule = TRAPEZOID if tilt is None else QuadratureRule(FAST, (0.0, 1.0), (0.5 - tilt, 0.5 + tilt), 0, EULER)
        pieces = (Piece(rule),)
        gradient = (rule.weights[0] * start).add_(end, alpha=rule.weights[1])
        return PathIntegral(gradient, pieces, error_estimates(samples, pieces), tilt)

    def _tilt(self, samples: Samples, path: StepPath) -> float | None:
        """Give τ; None where it would be ill-conditioned."""
        difference = samples.changes(1.0)[0] - samples.changes(0.0)[0]
        residual, total = float(samples.residual(Piece(TRAPEZOID))[0]), float(difference.sum())
        by_layer = np.bincount(np.asarray(path.layers, int), difference)
        cancels = float(np.abs(by_layer).sum()) > self.largest_cancellation * abs(total)
        return None if cancels or abs(residual) > self.largest_tilt * abs(total) else residual / (total or 1.0)
