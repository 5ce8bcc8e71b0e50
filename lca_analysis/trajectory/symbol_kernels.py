"""Inner loops since format version 4: folded residuals to symbols and low bits, and back.

`means`, `contexts`, `groups`, `starts` and `segments` are those of `symbols.Symbols`; `placed` holds symbols as the
words lie, `symbols` as the groups do. Indices are unsigned, which spares numba the check for negative ones. None is out
of bounds, whatever the symbols are: they lie where the contexts say, and `low_words` is asked for the low bits before
they are read. Loops that only compute are kept apart from those that look things up: the compiler takes many words of
them at once.
"""

from typing import Any

import numpy as np

from lca_analysis.trajectory.compiled import inner, kernel, leading_zeros
from lca_analysis.trajectory.kernels import fold_span, unfold_span
from lca_analysis.trajectory.low_bits import NOTHING, finish, get, put
from lca_analysis.trajectory.symbols import CONTEXTS, LANES

SMALLEST_GROUP = 4096  # words; part of the format: a group has code tables of its own
_STRETCH = 512  # words whose sums are taken together: the sum of their widths fits into 16 bits
_AT_A_TIME = 4096  # words
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
        for lane in range(LANES):
            counts[lane, contexts[i + _W(lane) * part]] += np.uint32(1)
    for i in range(_W(LANES) * part, _W(contexts.size)):
        counts[LANES - 1, contexts[i]] += np.uint32(1)


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
def _scatter(contexts: Any, groups: Any, starts: Any, placed: Any, symbols: Any) -> None:
    """Put symbols where their groups are; first the places of some, so that no look-up waits for a symbol's."""
    part, size = _W(placed.size) // _W(LANES), _W(placed.size)
    places = np.empty((LANES, _STRETCH), np.uint32)
    for begin in range(_W(0), part, _W(_STRETCH)):
        some = min(_W(_STRETCH), part - begin)
        for i in range(some):
            for lane in range(LANES):
                places[lane, i] = _place(begin + i + _W(lane) * part, lane, contexts, groups, starts)
        for lane in range(LANES):
            for i in range(some):
                symbols[places[lane, i]] = placed[begin + i + _W(lane) * part]
    for i in range(_W(LANES) * part, size):
        symbols[_place(i, LANES - 1, contexts, groups, starts)] = placed[i]


@inner
def _gather(contexts: Any, groups: Any, starts: Any, placed: Any, symbols: Any) -> None:
    """Undo `_scatter`; lanes take turns."""
    part, size = _W(placed.size) // _W(LANES), _W(placed.size)
    for i in range(part):
        for lane in range(LANES):
            word = i + _W(lane) * part
            placed[word] = symbols[_place(word, lane, contexts, groups, starts)]
    for i in range(_W(LANES) * part, size):
        placed[i] = symbols[_place(i, LANES - 1, contexts, groups, starts)]


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
def _split(folded: Any, placed: Any, low: Any, under_way: Any) -> Any:
    """Split words in symbols and low bits, which are put behind others; gives what is under way then."""
    for i in range(_W(folded.size)):
        wide = _W(folded[i])
        width = max(_W(64) - leading_zeros(wide), _W(2)) - _W(2)
        placed[i] = (wide >> width) + _W(2) * width
        rest = wide & ((_W(1) << width) - _W(1))
        if folded.itemsize > 4:  # known when this is compiled
            less = min(width, _W(32))
            under_way = put(low, under_way, rest & _W(0xFFFFFFFF), less)
            rest, width = rest >> _W(32), width - less
        under_way = put(low, under_way, rest, width)
    return under_way


@kernel
def weighted_sum(words: Any) -> Any:
    """Add words up, each times an odd number of its own, modulo 2^64: what one changed word always changes."""
    return _weighted_sum(words, 0)


@inner
def _weighted_sum(words: Any, before: int) -> Any:
    """Add up words behind so many others; the number of the i-th word of a block is 2 i + 1.

    Taken apart by stretches, it is small enough to be multiplied by in one go.
    """
    total = _W(0)
    for start in range(0, words.size, _STRETCH):
        plain, rising = _W(0), _W(0)
        stretch = words[start : start + _STRETCH]
        for i in range(stretch.size):
            plain += _W(stretch[i])
            rising += _W(stretch[i]) * _W(np.uint32(i))
        total += plain * _W(2 * (before + start) + 1) + _W(2) * rising
    return total


@kernel
def pack(folded: Any, grouped: bool, means: Any, young: Any, contexts: Any, counts: Any, groups: Any, starts: Any,
         segments: Any, placed: Any, symbols: Any, low: Any) -> Any:  # fmt: skip
    """Code folded residuals, in groups or not; gives the numbers of groups and of words of low bits."""
    used = finish(low, _split(folded, placed if grouped else symbols, low, NOTHING))
    if not grouped:
        segments[0], segments[1] = 0, folded.size
        return 1, used
    return _join(means, young, contexts, counts, groups, starts, segments, placed, symbols), used


@inner
def _join(means: Any, young: Any, contexts: Any, counts: Any, groups: Any, starts: Any, segments: Any, placed: Any,
          symbols: Any) -> int:  # fmt: skip
    """Put symbols in groups, and learn from them; how many groups."""
    number = plan(means, contexts, counts, groups, starts, segments)
    _scatter(contexts, groups, starts, placed, symbols)
    _learn(means, placed, young)
    return number


@kernel
def fold_and_pack(lot: Any, number: Any, limit: Any, last: Any, before: Any, ends: Any, predictors: Any, factors: Any,
                  infinity: Any, top: Any, grouped: bool, means: Any, young: Any, contexts: Any, counts: Any,
                  groups: Any, starts: Any, segments: Any, placed: Any, symbols: Any, low: Any,
                  found: Any) -> int:  # fmt: skip
    """Do `fold`, `pack` and `weighted_sum` for the points of a lot; how many of them were coded.

    All in one call, so that the interpreter is asked for once. It ends early behind a point of more words of low bits
    than the limit. `symbols` and `low` have a row for each point, and so has `found`: of groups, words of low bits, and
    the checksum; `segments` has those of all points, one behind the other, as places in all of `symbols`.
    """
    behind = 0
    for k in range(number):
        row = symbols[k]
        used, checksum = _fold_and_split(lot[k], last, before, ends, predictors, factors, infinity, top,
                                         placed if grouped else row, low[k])  # fmt: skip
        last, before, joined = before, last, 1
        if grouped:
            joined = _join(means, young and k == 0, contexts, counts, groups, starts, segments[behind:], placed, row)
        else:
            segments[behind], segments[behind + 1] = 0, row.size
        for group in range(joined):
            segments[behind + 2 * group] += np.uint64(k) * np.uint64(row.size)
        behind += 2 * joined
        found[k, 0], found[k, 1], found[k, 2] = joined, used, checksum
        if used > limit:
            return k + 1
    return number


@inner
def _fold_and_split(words: Any, last: Any, before: Any, ends: Any, predictors: Any, factors: Any, infinity: Any,
                    top: Any, placed: Any, low: Any) -> Any:  # fmt: skip
    """Fold and split some words at a time, which stay in the cache; words of low bits, and the weighted sum."""
    folded = np.empty(_AT_A_TIME, words.dtype)
    under_way, total, begin = NOTHING, _W(0), 0
    for span in range(ends.size):
        while begin < ends[span]:
            end = min(begin + _AT_A_TIME, ends[span])
            some = folded[: end - begin]
            fold_span(words[begin:end], last[begin:end], before[begin:end], predictors[span], factors[span], infinity,
                      top, some)  # fmt: skip
            total += _weighted_sum(words[begin:end], begin)
            under_way = _split(some, placed[begin:end], low, under_way)
            begin = end
    return finish(low, under_way), total


@kernel
def low_words(symbols: Any, most: int) -> Any:
    """How many 64-bit words of low bits some symbols have; −1 where one is none of words so wide."""
    total, largest = _W(0), np.uint8(0)
    for start in range(0, symbols.size, _STRETCH):
        some, stretch = np.uint16(0), symbols[start : start + _STRETCH]
        for i in range(stretch.size):
            some = np.uint16(some + (np.uint8(max(np.uint8(stretch[i] >> np.uint8(1)), np.uint8(1))) - np.uint8(1)))
            largest = np.uint8(max(largest, stretch[i]))
        total += _W(some)
    return -1 if largest >= most else np.int64((total + _W(63)) >> _W(6))


@kernel
def unpack_symbols(means: Any, young: Any, contexts: Any, groups: Any, starts: Any, placed: Any, symbols: Any) -> None:
    """Put symbols in the places of their words, behind `plan`."""
    _gather(contexts, groups, starts, placed, symbols)
    _learn(means, placed, young)


@kernel
def unpack(folded: Any, placed: Any, low: Any, bases: Any, widths: Any) -> None:
    """Put symbols and low bits together.

    `bases` and `widths` say for each symbol what word it stands for without low bits, and how many those are.
    """
    _unpack(folded, placed, low, bases, widths, _W(0))


@inner
def _unpack(folded: Any, placed: Any, low: Any, bases: Any, widths: Any, position: Any) -> Any:
    """Put some together, the low bits of which begin at a position; where they end."""
    for i in range(_W(folded.size)):
        symbol = placed[i]
        width = _W(widths[symbol])
        bits = get(low, position)
        if folded.itemsize > 4:  # known when this is compiled
            bits = (bits & _W(0xFFFFFFFF)) | (get(low, position + _W(32)) << _W(32))
        folded[i] = bases[symbol] | (bits & ((_W(1) << width) - _W(1)))
        position += width
    return position


@kernel
def unpack_and_unfold(placed: Any, low: Any, bases: Any, widths: Any, last: Any, before: Any, ends: Any,
                      predictors: Any, factors: Any, infinity: Any, top: Any) -> Any:  # fmt: skip
    """Do `unpack` and `unfold` for some words at a time, which stay in the cache; gives their weighted sum."""
    folded = np.empty(_AT_A_TIME, last.dtype)
    position, total, begin = _W(0), _W(0), 0
    for span in range(ends.size):
        while begin < ends[span]:
            end = min(begin + _AT_A_TIME, ends[span])
            some = folded[: end - begin]
            position = _unpack(some, placed[begin:end], low, bases, widths, position)
            unfold_span(some, last[begin:end], before[begin:end], predictors[span], factors[span], infinity, top)
            total += _weighted_sum(before[begin:end], begin)
            begin = end
    return total
