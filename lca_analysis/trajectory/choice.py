"""The encoder's choice of a predictor for every tensor; any choice decodes, only sizes differ."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.blocks import Block, Piece
from lca_analysis.trajectory.prediction import (
    MOMENTUM,
    NONE,
    STEP,
    momentum_prediction,
    subnormals_work,
    to_values,
)
from lca_analysis.trajectory.state import BlockState, Recent
from lca_analysis.trajectory.words import Words, from_ordered, to_ordered, zigzag

SAMPLE = 1024  # elements of a piece that the choice looks at, and
SAMPLES = 8192  # of a block of many pieces, with no fewer than LEAST of each
LEAST = 64
SHARP = 4096  # units in the last place that a step must have for a sharp ratio, in dtypes that are that fine
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
        self._form = block.form
        self._floats = block.form.kind != "integer"
        most = max(LEAST, min(SAMPLE, SAMPLES // len(block.pieces)))
        drawn = [_sample(piece, most) for piece in block.pieces]
        self._indices = np.concatenate(drawn)
        self._counts = np.array([len(indices) for indices in drawn])
        self._sizes = np.array([piece.size for piece in block.pieces])
        ends = np.cumsum(self._counts)
        self._starts = ends - self._counts
        self._places = [slice(a, b) for a, b in zip(self._starts.tolist(), ends.tolist(), strict=True)]
        self._momenta = [0.0] * len(drawn)
        self._turn = 0

    def choose(self, state: BlockState, words: Words) -> tuple[list[int], list[float]]:
        """Predictor and momentum of every piece for the point `words` that follows the state."""
        now, recent = to_ordered(words.take(self._indices), self._form), state.sample(self._indices)
        tries = [(NONE, self._momenta), (STEP, self._momenta)]
        costs = [
            self._costs(now, recent.ordered),
            self._costs(now, recent.ordered + (recent.ordered - recent.ordered_before)),
        ]
        if self._floats and subnormals_work():
            for momenta in self._candidates(now, recent):
                tries.append((MOMENTUM, momenta))
                factors = np.repeat(momenta, self._counts)
                guess = momentum_prediction(recent.values, recent.values_before, factors, self._form)
                costs.append(self._costs(now, to_ordered(guess, self._form)))
        best = self._best(np.array(costs))
        self._momenta = [tries[row][1][piece] for piece, row in enumerate(best)]
        return [tries[row][0] for row in best], self._momenta

    def _best(self, costs: NDArray[np.float64]) -> list[int]:
        """Row of the best choice for the block, and for each piece that gains enough by it the row of its own."""
        block, own = np.argmin(costs @ self._sizes), np.argmin(costs, axis=0)
        gain = costs[block] - np.min(costs, axis=0)
        return np.where(gain > WORTH + WORTH_ON_SAMPLE / self._counts, own, block).tolist()

    def _costs(self, now: Words, predicted: Words) -> NDArray[np.float64]:
        """Bits that the residuals of each piece's sample need, roughly, by element."""
        folded = zigzag(now - predicted, self._form)
        bits = np.log2(folded.astype(np.float32) + np.float32(1))
        return np.add.reduceat(bits, self._starts, dtype=np.float64) / self._counts

    def _candidates(self, now: Words, recent: Recent) -> list[list[float]]:
        """Momenta worth trying: the last ones, the block's mode, plain and rounded, and that of one piece."""
        values = to_values(from_ordered(now, self._form), self._form)
        pieces = len(self._momenta)
        candidates = [self._momenta]
        mode = momentum_mode(values, recent)
        if mode is not None:
            candidates += [[mode] * pieces, [round(mode, 3)] * pieces]
        if pieces > 1:
            self._turn = (self._turn + 1) % pieces
            place = self._places[self._turn]
            own = momentum_mode(values[place], Recent(*(part[place] for part in recent)))
            if own is not None:
                candidates.append([*self._momenta[: self._turn], own, *self._momenta[self._turn + 1 :]])
        return candidates


def _sample(piece: Piece, most: int) -> NDArray[np.intp]:
    """About `most` places of a piece, or all; by an odd stride, so as not to see one column of a matrix only."""
    return np.arange(piece.offset, piece.offset + piece.size, max(1, piece.size // most) | 1)


def momentum_mode(values: NDArray[Any], recent: Recent) -> float | None:
    """Mode of (w − v) / (v − u) over the elements whose last step v − u is sharp; None without any.

    A parameter whose gradient is zero moves by momentum alone, so its ratio is the optimizer's momentum; the
    others scatter. The mode is the median of the narrowest window that holds a sixteenth of the ratios. A step of
    few units in the last place has a ratio rounded to almost anything, and does not count.
    """
    with np.errstate(all="ignore"):
        ratio = values.astype(np.float64) - recent.values
        ratio /= recent.values.astype(np.float64) - recent.values_before
        usable = np.abs(ratio) < 2.0  # neither NaN nor infinite
    units = np.maximum(recent.ordered, recent.ordered_before) - np.minimum(recent.ordered, recent.ordered_before)
    usable &= units >= min(SHARP, np.median(units[usable])) if usable.any() else False
    ratios = np.sort(ratio[usable])
    if ratios.size < 4:
        return None
    width = max(2, ratios.size // 16)
    start = int(np.argmin(ratios[width:] - ratios[:-width]))
    return float(ratios[start + width // 2])
