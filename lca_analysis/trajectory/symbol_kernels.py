"""Inner loops of format version 4: folded residuals to symbols and low bits, and back.

`means`, `counts`, `groups`, `starts` and `segments` are those of `symbols.Symbols`; `low` holds low bits in 64-bit
words. Indices are unsigned, which spares numba the check for negative ones. None is out of bounds, whatever the symbols
are: they lie where the contexts say, and `low_words` is asked for the low bits before they are read.
"""

from typing import Any

import numpy as np

from lca_analysis.trajectory.compiled import inner, kernel, leading_zeros
from lca_analysis.trajectory.kernels import fold
from lca_analysis.trajectory.symbols import CONTEXTS

SMALLEST_GROUP = 4096  # words; part of the format: a group has code tables of its own
_W = np.uint64


@inner
def _group(counts: Any, groups: Any, starts: Any, segments: Any) -> int:
    """Join means, from the lowest up, to groups of enough words, and forget how many each has; how many groups."""
    number: Any = 0
    start: Any = 0
    end: Any = 0
    for context in range(CONTEXTS):
        groups[context] = number
        end += np.int64(counts[context])
        counts[context] = 0
        if end - start >= SMALLEST_GROUP:
            starts[number] = segments[2 * number] = start
            segments[2 * number + 1] = end - start
            number, start = number + 1, end
    if number == 0:
        starts[0] = segments[0] = 0
        segments[1] = end
        return 1
    segments[2 * number - 1] += end - start
    for context in range(CONTEXTS):
        groups[context] = min(groups[context], number - 1)
    return number


@inner
def _context(mean: Any) -> Any:
    """Round a mean to its context."""
    return (_W(mean) + _W(128)) >> _W(8)


@inner
def _take(i: Any, symbol: Any, means: Any, shift: Any, counts: Any) -> None:
    """Take a symbol into the mean of its place."""
    mean = np.int64(means[i])
    mean += (np.int64(symbol << _W(8)) - mean) >> shift
    means[i] = mean
    counts[_context(mean)] += np.uint32(1)


@inner
def _place(i: Any, means: Any, groups: Any, starts: Any) -> Any:
    """Where the symbol of a word lies."""
    group = _W(groups[_context(means[i])])
    place = starts[group]
    starts[group] = place + _W(1)
    return place


@inner
def _put(folded: Any, i: Any, bits: Any, means: Any, shift: Any, counts: Any, groups: Any, starts: Any,
         symbols: Any, low: Any) -> Any:  # fmt: skip
    """Code one word; `bits` are the place in `low`, the bits in use there, and those bits."""
    place, used, word = bits
    wide = _W(folded)
    count = max(_W(64) - leading_zeros(wide), _W(2)) - _W(2)
    symbol = (wide >> count) + _W(2) * count
    symbols[_place(i, means, groups, starts)] = symbol
    _take(i, symbol, means, shift, counts)
    rest = wide & ((_W(1) << count) - _W(1))
    word |= rest << used
    used += count
    low[place] = word
    full = used >> _W(6)
    used &= _W(63)
    return place + full, used, rest >> (count - used) if full else word


@inner
def _get(i: Any, bits: Any, means: Any, shift: Any, counts: Any, groups: Any, starts: Any, symbols: Any,
         low: Any) -> Any:  # fmt: skip
    """Undo `_put`; gives the word too."""
    place, used = bits
    symbol = _W(symbols[_place(i, means, groups, starts)])
    _take(i, symbol, means, shift, counts)
    count = max(symbol >> _W(1), _W(1)) - _W(1)
    rest = (low[place] >> used) | ((low[place + _W(1)] << (_W(63) - used)) << _W(1))
    wide = ((symbol - _W(2) * count) << count) | (rest & ((_W(1) << count) - _W(1)))
    used += count
    return (place + (used >> _W(6)), used & _W(63)), wide


@kernel
def weighted_sum(words: Any) -> Any:
    """Add words up, each times an odd number of its own, modulo 2^64: what one changed word always changes."""
    total = _W(0)
    for i in range(words.size):
        total += _W(words[i]) * _W(2 * i + 1)
    return total


@kernel
def pack(folded: Any, means: Any, shift: Any, counts: Any, groups: Any, starts: Any, segments: Any, symbols: Any,
         low: Any) -> Any:  # fmt: skip
    """Code folded residuals; gives the numbers of groups and of words of low bits."""
    number, bits = _group(counts, groups, starts, segments), (_W(0), _W(0), _W(0))
    for i in range(_W(folded.size)):
        bits = _put(folded[i], i, bits, means, shift, counts, groups, starts, symbols, low)
    return number, _finish(bits, low)


@kernel
def fold_and_pack(words: Any, last: Any, before: Any, ends: Any, predictors: Any, factors: Any, infinity: Any, top: Any,
                  folded: Any, means: Any, shift: Any, counts: Any, groups: Any, starts: Any, segments: Any,
                  symbols: Any, low: Any) -> Any:  # fmt: skip
    """Do `fold` by stretches, `weighted_sum` and `pack`: in one call, so that the interpreter is asked for once."""
    begin = 0
    for span in range(ends.size):
        end = ends[span]
        fold(words[begin:end], last[begin:end], before[begin:end], predictors[span], factors[span], infinity, top,
             folded[begin:end])  # fmt: skip
        begin = end
    number, used = pack(folded, means, shift, counts, groups, starts, segments, symbols, low)
    return number, used, weighted_sum(words)


@inner
def _finish(bits: Any, low: Any) -> Any:
    """Write the last bits; how many words there are."""
    place, used, word = bits
    low[place] = word
    return place + _W(used > _W(0))


@kernel
def group(counts: Any, groups: Any, starts: Any, segments: Any) -> int:
    """Group the means, as the next frame needs it; gives the number of groups."""
    return _group(counts, groups, starts, segments)


@kernel
def low_words(symbols: Any, most: Any) -> int:
    """How many 64-bit words of low bits some symbols have; −1 where one is none of words so wide."""
    total: Any = 0
    largest: Any = 0
    for i in range(symbols.size):
        symbol: Any = np.int64(symbols[i])
        total += max(symbol >> 1, 1) - 1
        largest = max(largest, symbol)
    return -1 if largest >= most else (total + 63) >> 6


@kernel
def unpack(folded: Any, means: Any, shift: Any, counts: Any, groups: Any, starts: Any, symbols: Any, low: Any) -> None:
    """Undo `pack`, behind `group`; `low` has a word more than it needs."""
    bits = (_W(0), _W(0))
    for i in range(_W(folded.size)):
        bits, folded[i] = _get(i, bits, means, shift, counts, groups, starts, symbols, low)
