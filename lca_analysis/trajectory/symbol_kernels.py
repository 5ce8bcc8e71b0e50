"""Inner loops of format version 4: folded residuals to symbols and low bits, and back.

`means`, `contexts`, `groups`, `starts` and `segments` are those of `symbols.Symbols`; `placed` holds symbols as the
words lie, `symbols` as the groups do. Indices are unsigned, which spares numba the check for negative ones. None is out
of bounds, whatever the symbols are: they lie where the contexts say, and `low_words` is asked for the low bits before
they are read. Loops that only compute are kept apart from those that look things up: the compiler takes many words of
them at once.
"""

from typing import Any

import numpy as np

from lca_analysis.trajectory.compiled import inner, kernel, leading_zeros
from lca_analysis.trajectory.kernels import fold
from lca_analysis.trajectory.low_bits import NOTHING, finish, get, put
from lca_analysis.trajectory.symbols import CONTEXTS, LANES

SMALLEST_GROUP = 4096  # words; part of the format: a group has code tables of its own
_W = np.uint64


@kernel
def plan(means: Any, contexts: Any, counts: Any, groups: Any, starts: Any, segments: Any) -> int:
    """Find contexts, join them to groups of enough words, and where the symbols of each lie; how many groups.

    Each lane, a part of the words, has starts of its own: what one word must wait for is then not the word before it.
    """
    for i in range(means.size):
        contexts[i] = np.uint8((means[i] >> np.uint16(8)) + ((means[i] >> np.uint16(7)) & np.uint16(1)))  # rounded
    _count(contexts, counts)
    number = _group(counts, groups, segments)
    starts[:, :number] = 0
    for lane in range(LANES):
        for context in range(CONTEXTS):
            starts[lane, groups[context]] += counts[lane, context]
    for group in range(number):
        start = segments[2 * group]
        for lane in range(LANES):
            start, starts[lane, group] = start + starts[lane, group], start
    return number


@inner
def _count(contexts: Any, counts: Any) -> None:
    """Count the words of each lane and context."""
    counts[:] = 0
    part = _W(contexts.size) // _W(LANES)
    for i in range(part):
        counts[0, contexts[i]] += np.uint32(1)
        counts[1, contexts[i + part]] += np.uint32(1)
        counts[2, contexts[i + _W(2) * part]] += np.uint32(1)
        counts[3, contexts[i + _W(3) * part]] += np.uint32(1)
    for i in range(_W(4) * part, _W(contexts.size)):
        counts[3, contexts[i]] += np.uint32(1)


@inner
def _group(counts: Any, groups: Any, segments: Any) -> Any:
    """Join contexts, from the lowest up, to groups of enough words; how many groups."""
    number: Any = 0
    start: Any = 0
    end: Any = 0
    for context in range(CONTEXTS):
        groups[context] = number
        for lane in range(LANES):
            end += np.int64(counts[lane, context])
        if end - start >= SMALLEST_GROUP:
            segments[2 * number], segments[2 * number + 1] = start, end - start
            number, start = number + 1, end
    if number == 0:
        segments[0], segments[1] = 0, end
        return 1
    segments[2 * number - 1] += end - start
    for context in range(CONTEXTS):
        groups[context] = min(groups[context], number - 1)
    return number


@inner
def _place(i: Any, lane: Any, contexts: Any, groups: Any, starts: Any) -> Any:
    """Where the symbol of a word lies."""
    group = _W(groups[contexts[i]])
    place = starts[lane, group]
    starts[lane, group] = place + _W(1)
    return place


@inner
def _learn(means: Any, placed: Any, young: Any) -> None:
    """Take symbols into the means of their places: with a weight of 1/8, or all of them where nothing is known yet."""
    if young:
        for i in range(means.size):
            means[i] = np.uint16(placed[i]) << np.uint16(8)
        return
    for i in range(means.size):
        mean = np.int16(means[i])
        more = np.int16(np.int16(np.int16(placed[i]) << np.int16(8)) - mean)
        means[i] = np.uint16(mean + np.int16(more >> np.int16(3)))


@inner
def _split(folded: Any, contexts: Any, groups: Any, starts: Any, placed: Any, symbols: Any, low: Any) -> Any:
    """Split words in symbols and low bits; how many 64-bit words of low bits there are."""
    under_way, end, size = NOTHING, _W(0), _W(folded.size)
    for lane in range(LANES):
        begin, end = end, end + size // _W(LANES) if lane < LANES - 1 else size
        for i in range(begin, end):
            wide = _W(folded[i])
            width = max(_W(64) - leading_zeros(wide), _W(2)) - _W(2)
            symbol = (wide >> width) + _W(2) * width
            placed[i] = symbol
            symbols[_place(i, lane, contexts, groups, starts)] = symbol
            under_way = put(low, under_way, wide & ((_W(1) << width) - _W(1)), width)
    return finish(low, under_way)


@kernel
def weighted_sum(words: Any) -> Any:
    """Add words up, each times an odd number of its own, modulo 2^64: what one changed word always changes."""
    total = _W(0)
    for i in range(words.size):
        total += _W(words[i]) * _W(2 * i + 1)
    return total


@kernel
def pack(folded: Any, means: Any, young: Any, contexts: Any, counts: Any, groups: Any, starts: Any, segments: Any,
         placed: Any, symbols: Any, low: Any) -> Any:  # fmt: skip
    """Code folded residuals; gives the numbers of groups and of words of low bits."""
    number = plan(means, contexts, counts, groups, starts, segments)
    used = _split(folded, contexts, groups, starts, placed, symbols, low)
    _learn(means, placed, young)
    return number, used


@kernel
def fold_and_pack(lot: Any, number: Any, limit: Any, last: Any, before: Any, ends: Any, predictors: Any, factors: Any,
                  infinity: Any, top: Any, folded: Any, means: Any, young: Any, contexts: Any, counts: Any, groups: Any,
                  starts: Any, segments: Any, placed: Any, symbols: Any, low: Any, found: Any) -> int:  # fmt: skip
    """Do `fold`, `pack` and `weighted_sum` for the points of a lot; how many of them were coded.

    All in one call, so that the interpreter is asked for once. It ends early behind a point of more words of low bits
    than the limit. `symbols` and `low` have a row for each point, and so has `found`: of groups, words of low bits, and
    the checksum; `segments` has those of all points, one behind the other, as places in all of `symbols`.
    """
    behind = 0
    for k in range(number):
        fold(lot[k], last, before, ends, predictors, factors, infinity, top, folded)
        last, before = before, last
        joined, used = pack(folded, means, young and k == 0, contexts, counts, groups, starts, segments[behind:],
                            placed, symbols[k], low[k])  # fmt: skip
        for group in range(joined):
            segments[behind + 2 * group] += np.uint64(k) * np.uint64(folded.size)
        behind += 2 * joined
        found[k, 0], found[k, 1], found[k, 2] = joined, used, weighted_sum(lot[k])
        if used > limit:
            return k + 1
    return number


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
def unpack(folded: Any, means: Any, young: Any, contexts: Any, groups: Any, starts: Any, placed: Any, symbols: Any,
           low: Any, bases: Any, widths: Any) -> None:  # fmt: skip
    """Undo `pack`, behind `plan`; `low` has a 64-bit word more than it needs.

    `bases` and `widths` say for each symbol what word it stands for without low bits, and how many those are.
    """
    part, size = _W(folded.size) // _W(LANES), _W(folded.size)
    for i in range(part):
        placed[i] = symbols[_place(i, 0, contexts, groups, starts)]
        placed[i + part] = symbols[_place(i + part, 1, contexts, groups, starts)]
        placed[i + _W(2) * part] = symbols[_place(i + _W(2) * part, 2, contexts, groups, starts)]
        placed[i + _W(3) * part] = symbols[_place(i + _W(3) * part, 3, contexts, groups, starts)]
    for i in range(_W(4) * part, size):
        placed[i] = symbols[_place(i, 3, contexts, groups, starts)]
    _learn(means, placed, young)
    position = _W(0)
    for i in range(size):
        symbol = placed[i]
        width = _W(widths[symbol])
        folded[i] = bases[symbol] | (get(low, position) & ((_W(1) << width) - _W(1)))
        position += width
