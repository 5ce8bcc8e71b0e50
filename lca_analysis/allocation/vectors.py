"""Memory for vectors of the size of a model, used over and over: freed ones would leave holes that nothing fills."""

import math
import weakref
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.memory import pages


class Vectors:
    """Gives tensors of one size; when the last reference to one is gone, its memory is given to the next.

    The C library gives memory of this size back to the system, which costs as much time as the filling, or keeps it,
    and may be left with holes of some ten floats a parameter.

    Parameters
    ----------
    size : int
        Elements of each tensor.
    dtype : torch.dtype
        Of the tensors.
    """

    def __init__(self, size: int, dtype: torch.dtype) -> None:
        self._size, self._words = size, torch.empty(0, dtype=dtype).numpy().dtype
        self._free: list[NDArray[Any]] = []

    def take(self, *shape: int) -> torch.Tensor:
        """Give a tensor on the processor, flat unless a shape is given, with whatever is in it."""
        try:
            memory = self._free.pop()
        except IndexError:
            memory = pages(self._size, self._words)
        lent = np.frombuffer(memory, memory.dtype)
        weakref.finalize(lent, self._free.append, memory).atexit = False
        return torch.from_numpy(lent).view(shape or (self._size,))


_POOLS: "weakref.WeakValueDictionary[tuple[int, torch.dtype], Vectors]" = weakref.WeakValueDictionary()


def vectors_of(size: int, dtype: torch.dtype) -> Vectors:
    """Give the vectors of this size that the process has, as long as anybody keeps them."""
    return _POOLS.setdefault((size, dtype), Vectors(size, dtype))


def like(tensor: torch.Tensor) -> torch.Tensor:
    """Give a tensor of the same shape and type, with whatever is in it."""
    return vectors_of(math.prod(tensor.shape), tensor.dtype).take(*tensor.shape)
