"""Memory for vectors of the size of a model, used over and over: freed ones would leave holes that nothing fills."""

import math
import weakref
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.memory import pages


class Vectors:
    """Gives tensors of one shape; when the last reference to one is gone, its memory is given to the next.

    The C library gives memory of this size back to the system, which costs as much time as the filling, or keeps it,
    and may be left with holes of some ten floats a parameter.

    Parameters
    ----------
    shape : tuple of int
        Of the tensors.
    dtype : torch.dtype
        Of the tensors.

    Attributes
    ----------
    shape : tuple of int
        As given.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self.shape, self._words = shape, torch.empty(0, dtype=dtype).numpy().dtype
        self._free: list[NDArray[Any]] = []

    def take(self) -> torch.Tensor:
        """Give a tensor on the processor, with whatever is in it."""
        memory = self._free.pop() if self._free else pages(math.prod(self.shape), self._words)
        lent = np.frombuffer(memory, memory.dtype)
        weakref.finalize(lent, self._free.append, memory).atexit = False
        return torch.from_numpy(lent).view(self.shape)
