"""The encoder's choice of a predictor for every tensor; any choice decodes, only sizes differ."""

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.blocks import Block, Piece
from lca_analysis.trajectory.prediction import MOMENTUM
from lca_analysis.trajectory.state import BlockState
from lca_analysis.trajectory.trials import Sample, prepare, try_out
from lca_analysis.trajectory.words import Words

SAMPLE = 1024  # elements of a piece that the choice looks at, and
SAMPLES = 8192  # of a block of many pieces, with no fewer than LEAST of each
LEAST = 64
# A piece leaves the choice that is best for its block for so many bits an element, and so many on its sample: a gain
# of fewer is chance, and pieces that are predicted alike are predicted at once.
WORTH, WORTH_ON_SAMPLE = 0.05, 32.0


class PredictorChoice:
    """Chooses the cheapest predictor of each piece of a block, frame by frame, on a fixed sample of it.

    The momentum of a whole block is estimated anew in every frame, since optimizers with bias correction drift;
    that of one piece alone in turn, since layers may have optimizers of their own. What a piece had before stays
    a candidate.
    """

    def __init__(self, block: Block) -> None:
        most = max(LEAST, min(SAMPLE, SAMPLES // len(block.pieces)))
        drawn = [_places(piece, most) for piece in block.pieces]
        self._sample = Sample(np.concatenate(drawn), np.cumsum([len(places) for places in drawn]))
        self._counts = np.diff(self._sample.ends, prepend=0)
        self._sizes = np.array([piece.size for piece in block.pieces])
        self._momenta = np.zeros(len(drawn))
        self._turn = 0
        prepare(block.form)

    def choose(self, state: BlockState, words: Words) -> tuple[list[int], list[float]]:
        """Predictor and momentum of every piece for the point `words` that follows the state."""
        self._turn = (self._turn + 1) % len(self._momenta)
        momenta, costs = try_out(state, words, self._sample, self._momenta, self._turn)
        best = self._best(costs)
        self._momenta = momenta[best, np.arange(len(best))]
        return np.minimum(best, MOMENTUM).tolist(), self._momenta.tolist()

    def _best(self, costs: NDArray[np.float64]) -> NDArray[np.intp]:
        """Row of the best choice for the block, and for each piece that gains enough by it the row of its own."""
        block, own = np.argmin(costs @ self._sizes), np.argmin(costs, axis=0)
        gain = costs[block] - np.min(costs, axis=0)
        return np.where(gain > WORTH + WORTH_ON_SAMPLE / self._counts, own, block)


def _places(piece: Piece, most: int) -> NDArray[np.uint32]:
    """About `most` places of a piece, or all; by an odd stride, so as not to see one column of a matrix only."""
    return np.arange(piece.offset, piece.offset + piece.size, max(1, piece.size // most) | 1, dtype=np.uint32)
