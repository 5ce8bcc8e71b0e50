"""The tilt of a piece's weights, so that what the piece allocates is the known change of its loss."""

import numpy as np
from numpy.typing import NDArray

from lca_analysis.allocation.pieces import Piece, Samples


def tilt_of(samples: Samples, piece: Piece, layers: NDArray[np.int_], largest_cancellation: float) -> float | None:
    """Find how much weight to move from the start of a piece to its end.

    It is the piece's residual over Σ_i Δ_i (∂L/∂θ_i at the end − at the start), times the width. The weights stay
    common to all parameters: where gradients bend alike, all errors vanish with that of the sum. Where layers cancel in
    that sum, the tilt would move each by more than the residual.

    Parameters
    ----------
    samples : Samples
        What the nodes came to.
    piece : Piece
        A piece whose rule has both its ends as nodes.
    layers : ndarray[tensors]
        For each tensor, the number of its layer.
    largest_cancellation : float
        Most Σ_layers |difference| / |Σ_layers difference|: so many residuals the tilt may move, all layers together.

    Returns
    -------
    float or None
        τ; None where layers cancel too much, or a weight would become negative.
    """
    difference = piece.width * (samples.changes(piece.end)[0] - samples.changes(piece.start)[0])
    residual, total = float(samples.residual(piece)[0]), float(difference.sum())
    by_layer = np.bincount(layers, difference)
    cancels = float(np.abs(by_layer).sum()) > largest_cancellation * abs(total)
    largest = min(piece.rule.weights[0], piece.rule.weights[-1])
    return None if cancels or abs(residual) > largest * abs(total) else residual / (total or 1.0)
