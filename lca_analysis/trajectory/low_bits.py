"""A stream of numbers of varying widths, one behind the other, for kernels.

The array that holds it is one of bytes, with sixteen more than the stream needs: numbers of at most 56 bits are put and
taken by 64-bit words that begin at any byte. `under_way` is what is not a whole byte yet: the place of that byte, the
bits in use there, and those bits.
"""

from typing import Any

import numpy as np

from lca_analysis.trajectory.compiled import inner, load_word, store_word

_W = np.uint64
NOTHING = (_W(0), _W(0), _W(0))


@inner
def put(low: Any, under_way: Any, number: Any, width: Any) -> Any:
    """Append a number that has no bits above its width; gives what is under way then."""
    place, used, word = under_way
    word |= number << used
    store_word(low, place, word)
    used += width
    return place + (used >> _W(3)), used & _W(7), word >> (used & _W(56))


@inner
def finish(low: Any, under_way: Any) -> Any:
    """Write what is under way, and zeros up to a whole 64-bit word; how many of these the stream has."""
    place, used, word = under_way
    store_word(low, place, word)
    return (_W(8) * place + used + _W(63)) >> _W(6)


@inner
def get(low: Any, position: Any) -> Any:
    """Read from a bit on: as many bits as a number can have, with others above them."""
    return load_word(low, position >> _W(3)) >> (position & _W(7))
