"""Inner loops of the allocation, compiled: one pass over a vector where numpy would take a dozen.

Vectors are of float32 or float64. Products are rounded to that precision, sums are taken in float64 and in a fixed
order; long ones in lanes, since an addition alone would wait for the one before, and none would be taken with others.
"""

from typing import Any

import numpy as np

from lca_analysis.compiled import first_call, kernel

LANES = 64


@kernel
def sum_by_tensor(before: Any, after: Any, gradient: Any, stops: Any, out: Any) -> None:
    """Sum Δ g over each tensor; `stops` says where in the flat vector each one ends."""
    start = 0
    lanes = np.empty(LANES)
    for number in range(stops.size):
        stop = stops[number]
        # Counted from 0, places are known not to be negative.
        left, right, slope = before[start:stop], after[start:stop], gradient[start:stop]
        whole = left.size // LANES * LANES
        lanes[:] = 0.0
        for i in range(0, whole, LANES):
            for j in range(LANES):
                lanes[j] += np.float64((right[i + j] - left[i + j]) * slope[i + j])
        for i in range(whole, left.size):
            lanes[i - whole] += np.float64((right[i] - left[i]) * slope[i])
        out[number] = lanes.sum()
        start = stop


@kernel
def blend(first: Any, second: Any, factors: Any, out: Any) -> None:
    """Give the sum of two vectors, each times its factor, in one pass."""
    for i in range(out.size):
        out[i] = first[i] * factors[0] + second[i] * factors[1]


@kernel
def allocate(before: Any, after: Any, gradient: Any, moved: Any, lca: Any) -> None:
    """Give Δ and A = Δ ḡ."""
    for i in range(before.size):
        moved[i] = after[i] - before[i]
        lca[i] = moved[i] * gradient[i]


@kernel
def sum_stretch(moved: Any, gradient: Any, lca: Any, sums: Any, counts: Any) -> None:
    """Add to the sums of a tensor: negative A, positive A, Δ², g²; and count negative and positive A."""
    none = lca.dtype.type(0)
    lanes = np.zeros((4, LANES))
    helping, hurting, step_norm2, gradient_norm2 = lanes
    whole = lca.size // LANES * LANES
    # A loop for each, since only those that write to little at once are compiled to take several numbers together.
    for i in range(0, whole, LANES):
        for j in range(LANES):
            helping[j] += np.float64(lca[i + j] if lca[i + j] < none else none)
        for j in range(LANES):
            hurting[j] += np.float64(lca[i + j] if lca[i + j] > none else none)
        for j in range(LANES):
            step_norm2[j] += np.float64(moved[i + j]) * np.float64(moved[i + j])
        for j in range(LANES):
            gradient_norm2[j] += np.float64(gradient[i + j]) * np.float64(gradient[i + j])
    for i in range(whole, lca.size):
        helping[i - whole] += np.float64(lca[i] if lca[i] < none else none)
        hurting[i - whole] += np.float64(lca[i] if lca[i] > none else none)
        step_norm2[i - whole] += np.float64(moved[i]) * np.float64(moved[i])
        gradient_norm2[i - whole] += np.float64(gradient[i]) * np.float64(gradient[i])
    for number in range(4):
        sums[number] += lanes[number].sum()
    for i in range(lca.size):
        counts[0] += lca[i] < none
    for i in range(lca.size):
        counts[1] += lca[i] > none


@kernel
def sum_of_products(left: Any, right: Any) -> float:
    """Sum products."""
    lanes = np.zeros(LANES)
    whole = left.size // LANES * LANES
    for i in range(0, whole, LANES):
        for j in range(LANES):
            lanes[j] += np.float64(left[i + j] * right[i + j])
    for i in range(whole, left.size):
        lanes[i - whole] += np.float64(left[i] * right[i])
    return float(lanes.sum())


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
    """Count and sum values by the column of their bin, which the upper bits of their words lead to."""
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
def find_moving(before: Any, after: Any, stops: Any, moving: Any) -> None:
    """Say of each tensor whether anything in it moves; what is not a number does."""
    i = 0
    for number in range(stops.size):
        while i < stops[number] and before[i] == after[i]:
            i += 1
        moving[number] = i < stops[number]
        i = stops[number]


@kernel
def follow_buffers(buffer: Any, before: Any, after: Any, stops: Any, factors: Any, moving: Any) -> None:
    """Move the momentum buffers of moving tensors past a step: factors of Δ, θ and b, in the vectors' precision."""
    start = 0
    for number in range(stops.size):
        stop = stops[number]
        if moving[number]:
            by_step, by_weight, by_buffer = factors[number, 0], factors[number, 1], factors[number, 2]
            own, left, right = buffer[start:stop], before[start:stop], after[start:stop]
            for i in range(own.size):
                own[i] = own[i] * by_buffer + (right[i] - left[i]) * by_step + left[i] * by_weight
        start = stop


def prepare(dtype: np.dtype[Any], counts: np.dtype[Any]) -> None:
    """Compile, or load, the kernels for a precision and a type of counts, rather than in the midst of a step."""
    none, wide, signs = np.empty(0, dtype), np.empty(0), np.empty(0, np.int8)
    few, many = np.empty(0, counts), np.empty(0, np.int64)
    columns, places, flags = np.empty(0, np.int16), np.empty(0, np.intp), np.empty(0, np.bool_)
    first_call(sum_by_tensor, none, none, none, many, wide)
    first_call(blend, none, none, np.zeros(2, dtype), none)
    first_call(allocate, none, none, none, none, none)
    first_call(sum_stretch, none, none, none, np.zeros(4), np.zeros(2, np.int64))
    first_call(sum_of_products, none, none)
    first_call(add_lca, none, wide, wide, few, few)
    first_call(add_signs, none, signs, signs, few)
    first_call(add_by_row, none, 0, places, wide)
    first_call(count_bins, none, none.view(f"u{dtype.itemsize}"), 0, columns, none, many, wide)
    first_call(all_finite, none)
    first_call(find_moving, none, none, many, flags)
    first_call(follow_buffers, none, none, none, many, np.empty((0, 3), dtype), flags)
