"""Memory that all blocks of a run work in, one after the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Scratch:
    """Arrays by use, made when they are first needed: fresh memory costs more than its filling."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[str, str], NDArray[Any]] = {}

    def array(self, use: str, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Give an array for one use, with whatever is in it."""
        key = use, dtype.str
        if key not in self._arrays or self._arrays[key].size < size:
            self._arrays.pop(key, None)  # before the larger one is made
            self._arrays[key] = np.empty(size, dtype)
        return self._arrays[key][:size]
