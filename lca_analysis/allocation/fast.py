"""The fast scheme: one new gradient a step, and what the known change of the loss says about it."""

from dataclasses import dataclass

import numpy as np

from lca_analysis.allocation.error_estimates import error_estimates
from lca_analysis.allocation.pieces import Piece, Samples
from lca_analysis.allocation.quadrature import TRAPEZOID
from lca_analysis.allocation.scheme import PathIntegral, StepPath
from lca_analysis.allocation.tilting import tilt_of

FAST = "fast"
LARGEST_CANCELLATION = 8.0


@dataclass(frozen=True)
class FastScheme:
    """The trapezoid with its weights tilted, (½ − τ, ½ + τ), so that the known loss change is what it allocates.

    Where that would be ill-conditioned (`tilt_of`), the weights stay as they are, and the residual is left.
    """

    name: str = FAST
    uses_end: bool = True

    def integrate(self, path: StepPath) -> PathIntegral:
        """Take the ends, and tilt."""
        samples, piece = Samples(path), Piece(TRAPEZOID)
        start, end = samples.gradient(0.0), samples.gradient(1.0)
        tilt = tilt_of(samples, piece, np.asarray(path.layers, int), LARGEST_CANCELLATION)
        first, last = TRAPEZOID.tilted(tilt or 0.0).weights
        gradient = (first * start).add_(end, alpha=last)
        return PathIntegral(gradient, (piece,), error_estimates(samples, (piece,)), tilt, samples.residual(piece))
