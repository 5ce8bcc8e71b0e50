"""What `trials` does, compiled: one call where numpy would take the interpreter some sixty times.

`zero` and `top` tell the compiler the types of numbers and words.
"""

from typing import Any

import numpy as np

from lca_analysis.trajectory.compiled import bits_as, inner, kernel
from lca_analysis.trajectory.kernels import fold_word, to_ordered
from lca_analysis.trajectory.trials import SHARP


@kernel
def try_out(words: Any, last: Any, before: Any, indices: Any, ends: Any, momenta: Any, turn: int, zero: Any,
            infinity: Any, top: Any, tried: Any, costs: Any) -> int:  # fmt: skip
    """Fill `tried` and `costs`; how many rows they have."""
    now, recent, older = _take(words, indices), _take(last, indices), _take(before, indices)
    rows = _fill(tried, 0, 3, momenta)
    mode = _mode(now, recent, older, zero, top)
    if not np.isnan(mode):
        rows = _fill(tried, rows, 2, momenta)
        for piece in range(ends.size):
            tried[3, piece], tried[4, piece] = mode, np.rint(mode * 1000) / 1000
    if ends.size > 1:
        begin, end = ends[turn - 1] if turn else 0, ends[turn]
        own = _mode(now[begin:end], recent[begin:end], older[begin:end], zero, top)
        if not np.isnan(own):
            rows = _fill(tried, rows, 1, momenta)
            tried[rows - 1, turn] = own
    as_number = type(zero)
    for row in range(rows):
        begin = 0
        for piece in range(ends.size):
            factor, end = as_number(-tried[row, piece]), ends[piece]
            total = _logarithms(now[begin:end], recent[begin:end], older[begin:end], min(row, 2), factor, infinity, top)
            costs[row, piece] = total / (end - begin) / 2**23 - 127
            begin = end
    return rows


@inner
def _take(words: Any, indices: Any) -> Any:
    """Take words from their places."""
    taken = np.empty(indices.size, words.dtype)
    for i in range(indices.size):
        taken[i] = words[indices[i]]
    return taken


@inner
def _fill(tried: Any, rows: int, more: int, momenta: Any) -> int:
    """Append the last momenta to the rows; how many there are then."""
    for row in range(rows, rows + more):
        for piece in range(momenta.size):
            tried[row, piece] = momenta[piece]
    return rows + more


@inner
def _logarithms(now: Any, recent: Any, older: Any, predictor: int, factor: Any, infinity: Any, top: Any) -> Any:
    """Add up the binary logarithms of folded residuals."""
    total = np.int64(0)
    for i in range(now.size):
        folded = fold_word(now[i], recent[i], older[i], predictor, factor, infinity, top)
        total += np.int64(bits_as(np.float32(folded) + np.float32(1), np.int32(0)))
    return total


@inner
def _mode(now: Any, recent: Any, older: Any, zero: Any, top: Any) -> Any:
    """Do what `trials.momentum_mode` does; NaN for none."""
    ratios, units, number = np.empty(now.size), np.empty(now.size), 0
    for i in range(now.size):
        value, was = np.float64(bits_as(now[i], zero)), np.float64(bits_as(recent[i], zero))
        ratio = (value - was) / (was - np.float64(bits_as(older[i], zero)))
        if abs(ratio) < 2.0:
            one, other = to_ordered(recent[i], top), to_ordered(older[i], top)
            ratios[number], units[number] = ratio, np.float64(max(one, other) - min(one, other))
            number += 1
    if number == 0:
        return np.nan
    least, sharp = _least(units[:number]), 0
    for i in range(number):
        if units[i] >= least:
            ratios[sharp], sharp = ratios[i], sharp + 1
    return _narrowest(ratios[:sharp])


@inner
def _least(units: Any) -> Any:
    """SHARP, or the median where that is less."""
    above = 0
    for i in range(units.size):
        above += units[i] >= SHARP
    if 2 * above > units.size:
        return SHARP
    units = units.copy()
    _sort(units)
    return min(SHARP, 0.5 * (units[(units.size - 1) // 2] + units[units.size // 2]))


@inner
def _narrowest(ratios: Any) -> Any:
    """Median of the narrowest window that holds a sixteenth of some numbers; NaN for less than four."""
    if ratios.size < 4:
        return np.nan
    _sort(ratios)
    width, start = max(2, ratios.size // 16), 0
    for i in range(ratios.size - width):
        if ratios[i + width] - ratios[i] < ratios[start + width] - ratios[start]:
            start = i
    return ratios[start + width // 2] + 0.0  # never −0


@inner
def _sort(numbers: Any) -> None:
    """Sort in place, after Shell: numpy's own sort takes seven seconds to compile."""
    gap = numbers.size // 2
    while gap > 0:
        for i in range(gap, numbers.size):
            number, place = numbers[i], i
            while place >= gap and numbers[place - gap] > number:
                numbers[place] = numbers[place - gap]
                place -= gap
            numbers[place] = number
        gap = 1 if gap == 2 else int(gap / 2.2)
