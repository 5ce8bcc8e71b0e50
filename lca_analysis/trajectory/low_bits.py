"""A stream of numbers of varying widths, one behind the other, for kernels.

The array that holds it says how it is taken apart: in 32-bit words where no number is wider than 32 bits, which takes
half the operations, in 64-bit words otherwise. The bytes are the same. `under_way` is what is not written yet: the word
of the array, the bits in use there, and those bits.
"""

from typing import Any

import numpy as np
from numba.core import types
from numba.extending import overload

_W = np.uint64
NOTHING = (_W(0), _W(0), _W(0))


def put(low: Any, under_way: Any, number: Any, width: Any) -> Any:
    """Append a number that has no bits above its width; gives what is under way then."""
    raise NotImplementedError("for kernels alone")


def finish(low: Any, under_way: Any) -> Any:
    """Write what is under way, and zeros up to a whole 64-bit word; how many of these the stream has."""
    raise NotImplementedError("for kernels alone")


def get(low: Any, position: Any) -> Any:
    """Read from a bit on: as many bits as a number can have, with others above them."""
    raise NotImplementedError("for kernels alone")


@overload(put)
def _put(low: Any, under_way: Any, number: Any, width: Any) -> Any:
    def narrow(low: Any, under_way: Any, number: Any, width: Any) -> Any:
        place, used, word = under_way
        word |= number << used
        low[place] = word
        used += width
        return place + (used >> _W(5)), used & _W(31), word >> (used & _W(32))

    def wide(low: Any, under_way: Any, number: Any, width: Any) -> Any:
        place, used, word = under_way
        word |= number << used
        low[place] = word
        used += width
        full = used >> _W(6)
        used &= _W(63)
        return place + full, used, number >> (width - used) if full else word

    return narrow if low.dtype == types.uint32 else wide


@overload(finish)
def _finish(low: Any, under_way: Any) -> Any:
    def narrow(low: Any, under_way: Any) -> Any:
        place, used, word = under_way
        low[place], low[place + _W(1)] = word, 0
        return (_W(32) * place + used + _W(63)) >> _W(6)

    def wide(low: Any, under_way: Any) -> Any:
        place, used, word = under_way
        low[place] = word
        return place + _W(used > _W(0))

    return narrow if low.dtype == types.uint32 else wide


@overload(get)
def _get(low: Any, position: Any) -> Any:
    def narrow(low: Any, position: Any) -> Any:
        place = position >> _W(5)
        return (_W(low[place]) | (_W(low[place + _W(1)]) << _W(32))) >> (position & _W(31))

    def wide(low: Any, position: Any) -> Any:
        place, used = position >> _W(6), position & _W(63)
        return (low[place] >> used) | ((low[place + _W(1)] << (_W(63) - used)) << _W(1))

    return narrow if low.dtype == types.uint32 else wide
