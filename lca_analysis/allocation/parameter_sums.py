"""What is summed of each parameter over iterations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.allocation import kernels
from lca_analysis.allocation.scratch import Bytes

_TYPES: dict[str, Any] = {  # None: of the type that is asked for
    "helping": np.float64,
    "hurting": np.float64,
    "n_helping": None,
    "n_hurting": None,
    "step_flips": None,
    "gradient_flips": None,
    "first_step": np.int8,
    "last_step": np.int8,
    "first_gradient": np.int8,
    "last_gradient": np.int8,
}
TOTAL = np.dtype(np.int32)
"""Type of the counts over all iterations; see `count_type` for those of a range."""
_COLUMNS = {
    "lca_helping": "helping",
    "lca_hurting": "hurting",
    "n_helping": "n_helping",
    "n_hurting": "n_hurting",
    "step_flips": "step_flips",
    "gradient_flips": "gradient_flips",
}


def count_type(steps: int) -> np.dtype[Any]:
    """Give the smallest type that holds the counts of a range: all sums pass through the processor at every step."""
    return min(np.min_scalar_type(steps), TOTAL, key=lambda kind: kind.itemsize)


def bytes_of(counts: np.dtype[Any]) -> int:
    """Give the bytes of one parameter, a few of them unused, so that every stretch begins where float64 may lie."""
    return -(-sum(np.dtype(kind or counts).itemsize for kind in _TYPES.values()) // 8) * 8


@dataclass(frozen=True)
class ParameterSums:
    """Sums over a range of iterations, of some parameters: arrays in the memory that they were made of.

    Attributes
    ----------
    helping, hurting : ndarray float64, loss units
        Sums of the negative and of the positive LCA of each parameter.
    n_helping, n_hurting, step_flips, gradient_flips : ndarray of a type of whole numbers
        Counts of iterations; flips are changes of sign from one non-zero value to the next non-zero one.
    first_step, last_step, first_gradient, last_gradient : ndarray int8
        Signs of the first and the last non-zero value, 0 without any: what joins two ranges.
    """

    helping: NDArray[np.float64]
    hurting: NDArray[np.float64]
    n_helping: NDArray[np.integer]
    n_hurting: NDArray[np.integer]
    step_flips: NDArray[np.integer]
    gradient_flips: NDArray[np.integer]
    first_step: NDArray[np.int8]
    last_step: NDArray[np.int8]
    first_gradient: NDArray[np.int8]
    last_gradient: NDArray[np.int8]

    @classmethod
    def of(cls, data: Bytes, counts: np.dtype[Any]) -> "ParameterSums":
        """See bytes, so many a parameter as `bytes_of` says, as sums with counts of a type; zeros are nothing."""
        count, start, arrays = len(data) // bytes_of(counts), 0, {}
        for name, kind in _TYPES.items():
            end = start + count * np.dtype(kind or counts).itemsize
            arrays[name] = data[start:end].view(kind or counts)
            start = end
        return cls(**arrays)

    def add(self, moved: NDArray[Any], gradient: NDArray[Any], lca: NDArray[Any]) -> None:
        """Take in one step: Δ, ḡ and A."""
        kernels.add_lca(lca, self.helping, self.hurting, self.n_helping, self.n_hurting)
        kernels.add_signs(moved, self.first_step, self.last_step, self.step_flips)
        kernels.add_signs(gradient, self.first_gradient, self.last_gradient, self.gradient_flips)

    def merge(self, later: "ParameterSums") -> None:
        """Take in the sums of the range that follows."""
        for name in _COLUMNS.values():
            total = getattr(self, name)
            total += getattr(later, name)
        _join_signs(self.first_step, self.last_step, self.step_flips, later.first_step, later.last_step)
        _join_signs(
            self.first_gradient, self.last_gradient, self.gradient_flips, later.first_gradient, later.last_gradient
        )

    def columns(self) -> dict[str, NDArray[Any]]:
        """Give columns of the `parameters` table, as copies."""
        columns = {name: getattr(self, own).copy() for name, own in _COLUMNS.items()}
        return {"lca": columns["lca_helping"] + columns["lca_hurting"], **columns}


def _join_signs(
    first: NDArray[np.int8],
    last: NDArray[np.int8],
    flips: NDArray[np.integer],
    then_first: NDArray[np.int8],
    then_last: NDArray[np.int8],
) -> None:
    """Count the change from the last sign to the first of what follows, and take in its first and last signs."""
    # The product of two signs is −1 for a change, and 0 when one of them is 0.
    np.add(flips, last * then_first < 0, out=flips)
    # Signs are −1, 0 and 1: one that is 0 gives way to the other.
    first += then_first * (first == 0)
    last *= then_last == 0
    last += then_last
