"""What imported checkpoints spoil, said where a reader of the statistics will meet it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.manifest import TensorInfo
from lca_analysis.trajectory.words import to_numbers

LARGE_STEP = 0.02  # of the weights' norm; one step of SGD or Adam on MNIST-FC: 0.002 in the median, 0.014 at most
_SPOILT = "percent helping, sign flips, oscillation and synchronised peaks"


def half_precision(tensors: Sequence[TensorInfo]) -> list[str]:
    """Warn of parameters in half precision: a small step is rounded away, or to a whole unit in either direction."""
    half = [tensor for tensor in tensors if tensor.role == "parameter" and tensor.dtype in ("float16", "bfloat16")]
    if not half:
        return []
    return [
        f"{len(half)} parameter tensors are in half precision ({half[0].name} is {half[0].dtype}): rounding flips the "
        f"sign of about a third of all steps, or makes them zero, which spoils {_SPOILT}; layer totals are less "
        "affected. Record in float32 if you can"
    ]


def gaps(iterations: Sequence[int], points: str = "checkpoints") -> list[str]:
    """Warn of points, called by the given name, that are more than one iteration apart."""
    widest = int(np.diff(iterations).max(initial=1))
    if widest == 1:
        return []
    return [
        f"{points} are up to {widest:,} iterations apart: the loss change is allocated along straight lines between "
        f"them, not along the path of training, so {_SPOILT} are those of the stretches, not of iterations; totals "
        "still add up to the loss change"
    ]


class StepSizes:
    """The steps of a run relative to its weights, ‖Δ‖ / ‖θ‖ over all floating-point parameters."""

    def __init__(self, tensors: Sequence[TensorInfo]) -> None:
        self._tensors = [tensor for tensor in tensors if tensor.role == "parameter" and "float" in tensor.dtype]
        self._before: list[NDArray[Any]] = []
        self._sizes: list[float] = []

    def add(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Take the next point; the arrays must not change afterwards."""
        now = [to_numbers(weights[tensor.name], tensor.dtype) for tensor in self._tensors]
        if self._before:
            moved = sum(_squares(new - old) for new, old in zip(now, self._before, strict=True))
            self._sizes.append((moved / (sum(map(_squares, self._before)) or 1.0)) ** 0.5)
        self._before = now

    def cautions(self) -> list[str]:
        """Warn of steps that are larger than those of single iterations."""
        median = float(np.median(self._sizes)) if self._sizes else 0.0
        if not median > LARGE_STEP:
            return []
        return [
            f"half of the steps between points move the weights by more than {median:.1%} of their norm, which single "
            f"iterations seldom do: the points seem far apart in training, which spoils {_SPOILT}; totals still add up "
            "to the loss change"
        ]


def _squares(array: NDArray[Any]) -> float:
    """Sum of squares in float64; not finite where the numbers are not."""
    with np.errstate(all="ignore"):
        flat = array.astype(np.float64).reshape(-1)
        return float(flat @ flat)
