"""Memory in pages of its own; below all rooms."""

import ctypes
import mmap
import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pages(size: int, dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Make an array of zeros in pages of its own, which go back to the system with it.

    The C library keeps much of what it gives, and large arrays that come and go between small ones leave holes in it.

    Parameters
    ----------
    size : int
        Elements.
    dtype : dtype
        Of the elements.

    Returns
    -------
    ndarray[size]
        Where it begins, a page does.

    Raises
    ------
    MemoryError
        The system has not as much.
    """
    if os.name != "posix":
        return np.zeros(size, dtype)
    try:
        memory = mmap.mmap(-1, max(size * dtype.itemsize, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no {size} elements of {dtype} can be had") from error
    return np.frombuffer(memory, dtype, size)


def give_back() -> None:
    """Let the C library give back what it keeps and nothing uses: after large things that came once and are gone."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)
