"""How exact layers' totals can be at a number of gradients, whatever rule picks the pieces: the truth is known here.

Every step is divided into dyadic pieces with a trapezoid or Simpson's rule each, so that the sum over all pieces of the
worst layer's error, as a share of that layer's Σ_t |LCA|, plus a price for every gradient is least. Nothing gains from
errors that happen to cancel between pieces or steps. The price is found by bisection.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from quadrature_reference import NODES, PIECES, Reference

Values = NDArray[np.float64]
BISECTIONS = 20


@dataclass(frozen=True)
class Best:
    """The best pieces at a price: gradients per iteration, and by how much the worst layer's run total is off."""

    evaluations: float
    run_total: float


def layer_of(tensor: str) -> str:
    """Give the layer that owns a parameter."""
    return tensor.rsplit(".", 1)[0]


def best_pieces(truth: Reference, evaluations: float) -> Best:
    """Find the best pieces with no more than a number of gradients per iteration."""
    names = [layer_of(tensor) for tensor in truth.tensors]
    member = np.array([[name == layer for layer in dict.fromkeys(names)] for name in names], float)
    changes, total = truth.changes @ member, np.abs(truth.lca @ member).sum(0)
    steps = [_Step(step / total) for step in changes]
    low, high = -12.0, 3.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _at(steps, 10**middle).evaluations > evaluations:
            low = middle
        else:
            high = middle
    return _at(steps, 10**high)


def _at(steps: list["_Step"], price: float) -> Best:
    """Give the best pieces at a price."""
    found = [step.best(0, NODES - 1, price) for step in steps]
    errors = np.sum([error for _, error, _ in found], axis=0)
    used = 1 + sum(1 + inner for _, _, inner in found)
    return Best(used / len(steps), float(np.abs(errors).max()))


class _Step:
    """One step; its changes, [NODES, layers], are shares of the layers' totals over the run."""

    def __init__(self, changes: Values) -> None:
        self._changes = changes

    def best(self, first: int, last: int, price: float) -> tuple[float, Values, int]:
        """Give cost, errors by layer and inner gradients of the best pieces between two nodes."""
        middle, choices = (first + last) // 2, []
        for inner, error in enumerate(self._errors(first, middle, last)):
            choices.append((float(np.abs(error).max()) + price * inner, error, inner))
        # To divide costs a gradient at least.
        if last - first >= 4 and price < choices[0][0]:
            left, right = self.best(first, middle, price), self.best(middle, last, price)
            choices.append((left[0] + right[0] + price, left[1] + right[1], left[2] + right[2] + 1))
        return min(choices, key=lambda choice: choice[0])

    def _errors(self, first: int, middle: int, last: int) -> tuple[Values, Values]:
        """Give the errors of the trapezoid and of Simpson's rule on a piece, by Simpson's rule on all nodes there."""
        width, nodes = (last - first) / (NODES - 1), self._changes[first : last + 1]
        start, centre, end = self._changes[[first, middle, last]]
        exact = (nodes[0] + 4 * nodes[1::2].sum(0) + 2 * nodes[2:-1:2].sum(0) + nodes[-1]) / (6 * PIECES)
        return width * (start + end) / 2 - exact, width * (start + 4 * centre + end) / 6 - exact
