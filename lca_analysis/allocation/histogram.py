"""Counting values by signed-logarithmic bin, from the bits of the numbers: no logarithm and no search."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lca_analysis.allocation import kernels
from lca_analysis.store import BINS, bin_edges, bin_numbers

WIDTH = 2 * BINS + 1
_MANTISSA = 3  # bits: floats that share them lie within an eighth of each other, and a bin is a third wide


@dataclass(frozen=True)
class _Lookup:
    """What the upper bits of a float, sign, exponent and the first of the mantissa, say of its bin.

    At most one edge of the bins lies between floats that share them. The tables are small enough for the first cache.

    Attributes
    ----------
    shift : int
        From the word to its upper bits.
    column : ndarray int16
        Column (bin + BINS) of the float nearest to zero with these bits.
    edge : ndarray float
        Magnitude from which on the next bin, outwards, begins.
    """

    shift: int
    column: NDArray[np.int16]
    edge: NDArray[np.floating]


@cache
def _lookup(dtype: np.dtype[np.floating]) -> _Lookup:
    """Make the table of a dtype."""
    bits = 1 + int(np.finfo(dtype).nexp) + _MANTISSA
    shift = 8 * dtype.itemsize - bits
    word = np.dtype(f"u{dtype.itemsize}")
    nearest = (np.arange(2**bits, dtype=np.uint64) << np.uint64(shift)).astype(word).view(dtype)
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
