"""Counting values by signed-logarithmic bin, from the bits of the numbers: no logarithm and no search."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lca_analysis.allocation import kernels
from lca_analysis.store import BINS, bin_edges, bin_numbers

WIDTH = 2 * BINS + 1


@dataclass(frozen=True)
class _Lookup:
    """What the upper 16 bits of a float say of its bin.

    They hold sign, exponent and the first bits of the mantissa, so that all floats that share them lie within a few
    per cent of each other, and at most one edge of the bins lies between them.

    Attributes
    ----------
    shift : int
        From the word to its upper 16 bits.
    column : ndarray[65536] int16
        Column (bin + BINS) of the float nearest to zero with these bits.
    edge : ndarray[65536] float
        Magnitude from which on the next bin, outwards, begins.
    """

    shift: int
    column: NDArray[np.int16]
    edge: NDArray[np.floating]


@cache
def _lookup(dtype: np.dtype[np.floating]) -> _Lookup:
    """Make the table of a dtype."""
    shift = 8 * dtype.itemsize - 16
    word = np.dtype(f"u{dtype.itemsize}")
    nearest = (np.arange(2**16, dtype=np.uint64) << np.uint64(shift)).astype(word).view(dtype)
    finite = np.where(np.isfinite(nearest), nearest, 0)
    bins = bin_numbers(finite)
    magnitude = np.clip(np.abs(bins), 1, BINS)
    upper = bin_edges(magnitude)[1].astype(np.float64)
    # The first float at or above the edge; beyond the outermost bin there is none.
    edge = upper.astype(dtype)
    edge = np.where(edge < upper, np.nextafter(edge, dtype.type(np.inf)), edge)
    edge[magnitude == BINS] = np.inf
    # Zero is a bin of its own, and all that is not zero lies outwards of it.
    edge[bins == 0] = np.nextafter(dtype.type(0), dtype.type(1))
    return _Lookup(shift, (bins + BINS).astype(np.int16), edge)


def add_to_histogram(values: NDArray[np.floating], counts: NDArray[np.int64], sums: NDArray[np.float64]) -> None:
    """Count values by bin, and sum them by bin.

    Parameters
    ----------
    values : ndarray[n] float32 or float64
        Finite numbers.
    counts : ndarray[WIDTH] int64
        Counts to add to.
    sums : ndarray[WIDTH] float64
        Sums to add to.
    """
    lookup, words = _lookup(values.dtype), values.view(f"u{values.dtype.itemsize}")
    kernels.count_bins(values, words, lookup.shift, lookup.column, lookup.edge, counts, sums)
