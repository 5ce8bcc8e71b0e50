"""Inner loops of the allocation, compiled: one pass over a vector where numpy would take a dozen.

Vectors are of float32 or float64. Products are rounded to that precision, sums are taken in float64 and in a fixed
order; long ones in four lanes, since an addition alone would wait for the one before.
"""

from typing import Any

import numpy as np

from lca_analysis.trajectory.compiled import first_call, kernel


@kernel
def sum_by_tensor(before: Any, after: Any, gradient: Any, stops: Any, out: Any) -> None:
    """Sum Δ g over each tensor; `stops` says where in the flat vector each one ends."""
    start = 0
    for number in range(stops.size):
        stop = stops[number]
        whole = start + (stop - start) // 4 * 4
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        for i in range(start, whole, 4):
            first += np.float64((after[i] - before[i]) * gradient[i])
            second += np.float64((after[i + 1] - before[i + 1]) * gradient[i + 1])
            third += np.float64((after[i + 2] - before[i + 2]) * gradient[i + 2])
            fourth += np.float64((after[i + 3] - before[i + 3]) * gradient[i + 3])
        for i in range(whole, stop):
            first += np.float64((after[i] - before[i]) * gradient[i])
        out[number] = (first + second) + (third + fourth)
        start = stop


@kernel
def sum_stretch(moved: Any, gradient: Any, lca: Any, sums: Any, counts: Any) -> None:
    """Add to the sums of a tensor: negative A, positive A, Δ², g²; and count negative and positive A."""
    helping, hurting, step_norm2, gradient_norm2 = 0.0, 0.0, 0.0, 0.0
    n_helping, n_hurting = 0, 0
    for i in range(lca.size):
        change, step, slope = np.float64(lca[i]), np.float64(moved[i]), np.float64(gradient[i])
        helping += change if change < 0.0 else 0.0
        hurting += change if change > 0.0 else 0.0
        step_norm2 += step * step
        gradient_norm2 += slope * slope
        n_helping += 1 if change < 0.0 else 0
        n_hurting += 1 if change > 0.0 else 0
    sums[0] += helping
    sums[1] += hurting
    sums[2] += step_norm2
    sums[3] += gradient_norm2
    counts[0] += n_helping
    counts[1] += n_hurting


@kernel
def sum_of_products(left: Any, right: Any) -> float:
    """Sum products."""
    whole = left.size // 4 * 4
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    for i in range(0, whole, 4):
        first += np.float64(left[i] * right[i])
        second += np.float64(left[i + 1] * right[i + 1])
        third += np.float64(left[i + 2] * right[i + 2])
        fourth += np.float64(left[i + 3] * right[i + 3])
    for i in range(whole, left.size):
        first += np.float64(left[i] * right[i])
    return (first + second) + (third + fourth)


@kernel
def add_by_row(values: Any, length: int, rows: Any, total: Any) -> None:
    """Sum rows of values, of one length, and add each to the total that `rows` names for it."""
    for row in range(rows.size):
        start = row * length
        whole = start + length // 4 * 4
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        for i in range(start, whole, 4):
            first += np.float64(values[i])
            second += np.float64(values[i + 1])
            third += np.float64(values[i + 2])
            fourth += np.float64(values[i + 3])
        for i in range(whole, start + length):
            first += np.float64(values[i])
        total[rows[row]] += (first + second) + (third + fourth)


@kernel
def add_lca(lca: Any, helping: Any, hurting: Any, n_helping: Any, n_hurting: Any) -> None:
    """Add A to each parameter's own sums and counts."""
    for i in range(lca.size):
        change = np.float64(lca[i])
        helping[i] += change if change < 0.0 else 0.0
        hurting[i] += change if change > 0.0 else 0.0
        n_helping[i] += change < 0.0
        n_hurting[i] += change > 0.0


@kernel
def add_signs(values: Any, first: Any, last: Any, flips: Any) -> None:
    """Take in the signs of one step: the first and the last that are not 0, and how often they changed."""
    for i in range(values.size):
        sign = np.int8(values[i] > 0) - np.int8(values[i] < 0)
        flips[i] += sign * last[i] < 0
        first[i] = first[i] if first[i] != 0 else sign
        last[i] = sign if sign != 0 else last[i]


@kernel
def count_bins(values: Any, words: Any, shift: int, column: Any, edge: Any, counts: Any, sums: Any) -> None:
    """Count and sum values by the column of their bin, which the upper 16 bits of their words lead to."""
    for i in range(values.size):
        upper = words[i] >> shift
        found = column[upper]
        if abs(values[i]) >= edge[upper]:
            found += 1 if values[i] > 0 else -1  # outwards
        counts[found] += 1
        sums[found] += values[i]


@kernel
def all_finite(values: Any) -> bool:
    """Whether no value is infinite or not a number: only for those a difference to itself is not 0."""
    others = 0
    for i in range(values.size):
        others += 0 if values[i] - values[i] == 0 else 1
    return others == 0


@kernel
def moves(before: Any, after: Any) -> bool:
    """Whether anything moves; what is not a number does."""
    i = 0
    while i < before.size and before[i] == after[i]:
        i += 1
    return bool(i < before.size)


@kernel
def follow_buffer(buffer: Any, before: Any, after: Any, by_step: Any, by_weight: Any, by_buffer: Any) -> None:
    """Move a momentum buffer past a step; the factors are of the vectors' precision."""
    for i in range(buffer.size):
        buffer[i] = buffer[i] * by_buffer + (after[i] - before[i]) * by_step + before[i] * by_weight


def prepare(dtype: np.dtype[Any]) -> None:
    """Compile, or load, the kernels for a precision, rather than in the midst of a step."""
    none, wide, signs = np.empty(0, dtype), np.empty(0), np.empty(0, np.int8)
    few, many = np.empty(0, np.int32), np.empty(0, np.int64)
    columns, factor = np.empty(0, np.int16), dtype.type(0)
    places = np.empty(0, np.intp)
    first_call(sum_by_tensor, none, none, none, many, wide)
    first_call(sum_stretch, none, none, none, np.zeros(4), np.zeros(2, np.int64))
    first_call(sum_of_products, none, none)
    first_call(add_lca, none, wide, wide, few, few)
    first_call(add_signs, none, signs, signs, few)
    first_call(add_by_row, none, 0, places, wide)
    first_call(count_bins, none, none.view(f"u{dtype.itemsize}"), 0, columns, none, many, wide)
    first_call(all_finite, none)
    first_call(moves, none, none)
    first_call(follow_buffer, none, none, none, factor, factor, factor)
