"""Memory that all blocks of a run work in, one after the other."""

import numpy as np

from lca_analysis.trajectory.words import WordFormat, Words


class Scratch:
    """Arrays of words by use, made when they are first needed: fresh memory costs more than its filling."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[str, str], Words] = {}

    def words(self, use: str, size: int, form: WordFormat) -> Words:
        """Give an array for one use, with whatever is in it."""
        key = use, form.word.str
        if key not in self._arrays or self._arrays[key].size < size:
            self._arrays[key] = np.empty(size, form.word)
        return self._arrays[key][:size]
