"""Words sorted by how large their residuals were: the streams of format versions 2 and 3."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.trajectory.words import Words, parts

# Class of a running mean by its float32 exponent: class 0 below 2^-3, then one class per octave; how many there are
# is part of the format. With 18 all means above 2^13 share one; 72 reach beyond the largest 64-bit residual.
_FIRST_EXPONENT = 127 - 3
CLASSES = {2: 18, 3: 72}  # by format version
SMALLEST_CLASS = 2048  # part of the format; a stream has a fixed cost, so a smaller class joins the next


class ResidualClasses:
    """The class of each word of a block, by the running mean of its folded residuals.

    Attributes
    ----------
    ends : list of int
        Ends of the streams among the sorted words, as of the last `renew`.
    """

    def __init__(self, size: int, version: int, word: np.dtype[Any]) -> None:
        number = CLASSES[version]
        self._of_exponent = np.clip(np.arange(256) - _FIRST_EXPONENT + 1, 0, number - 1).astype(np.uint8)
        self._means = np.zeros(size, np.float32)
        self._classes = np.zeros(size, np.uint8)
        self._counts = np.zeros(number, np.int64)
        _prepare(word)
        self.forget()

    def forget(self) -> None:
        """Begin anew, as behind a keyframe: all words in one class."""
        self._means.fill(0)
        self._classes.fill(0)
        self._counts[:] = 0
        self._counts[0] = self._classes.size
        self.ends = [self._classes.size]

    def update(self, folded: Words) -> None:
        """Take the folded residuals of a point into the means."""
        from lca_analysis.trajectory import kernels

        kernels.update_means(self._means, folded)

    def renew(self) -> None:
        """Class the words anew; the classes then stay."""
        for part in parts(slice(0, self._means.size), self._means.itemsize):
            exponent = self._means[part].view(np.uint32) >> np.uint32(23)
            self._classes[part] = self._of_exponent.take(exponent)
        self._counts = np.bincount(self._classes, minlength=len(self._counts))
        self.ends = class_bounds(self._counts)

    def sort(self, words: Words, out: Words) -> None:
        """Sort words by class, stably."""
        from lca_analysis.trajectory import kernels

        kernels.sort_by_class(words, self._classes, self._starts(), out)

    def unsort(self, words: Words, out: Words) -> None:
        """Undo `sort`."""
        from lca_analysis.trajectory import kernels

        kernels.unsort(words, self._classes, self._starts(), out)

    def _starts(self) -> NDArray[np.int64]:
        """Where each class begins among the sorted words."""
        return np.cumsum(self._counts) - self._counts


def _prepare(word: np.dtype[Any]) -> None:
    """Compile, or load, the kernels for one kind of word."""
    from lca_analysis.trajectory import kernels
    from lca_analysis.trajectory.compiled import first_call

    none: Words = np.empty(0, word)
    classes, starts = np.empty(0, np.uint8), np.empty(0, np.int64)
    first_call(kernels.sort_by_class, none, classes, starts, none)
    first_call(kernels.unsort, none, classes, starts, none)
    first_call(kernels.update_means, np.empty(0, np.float32), none)


def class_bounds(counts: NDArray[np.int64]) -> list[int]:
    """Ends of the streams among words sorted by class: whole classes, of at least SMALLEST_CLASS words.

    The last stream takes what is left when the tail is too small for a stream of its own.
    """
    ends: list[int] = []
    start = end = 0
    for count in counts.tolist():
        end += count
        if end - start >= SMALLEST_CLASS:
            ends.append(end)
            start = end
    if ends and end > start:
        ends[-1] = end
    return ends or [end]
