"""Inner loops of the test of shared moments in residuals, compiled: each draw repeats regression and minima."""

from typing import Any

import numpy as np

from lca_analysis.compiled import first_call, inner, kernel


@inner
def _deepest(row: Any, depth: Any, place: Any) -> int:
    """Note the deepest negative local minima of a row on the ring, deepest first; give their number."""
    length, found = row.size, 0
    for t in range(length):
        value, after = row[t], row[t + 1 if t + 1 < length else 0]
        if not (value < 0.0 and value < row[t - 1] and value <= after):
            continue
        if found == depth.size and not value < depth[found - 1]:
            continue
        at = min(found, depth.size - 1)
        while at > 0 and value < depth[at - 1]:
            depth[at], place[at] = depth[at - 1], place[at - 1]
            at -= 1
        depth[at], place[at] = value, t
        found = min(found + 1, depth.size)
    return found


@inner
def _within_layer(place: Any, found: int, length: int, reach: int) -> int:
    """Count the pairs of one layer's moments at most so many steps apart on the ring."""
    count = 0
    for one in range(found):
        for other in range(one):
            apart = abs(place[one] - place[other])
            count += 1 if min(apart, length - apart) <= reach else 0
    return count


@inner
def _residual(row: Any, mean: float, total: Any, out: Any) -> None:
    """Remove from a row of mean 0 its regression on the others' total."""
    power, shared = 0.0, 0.0
    for t in range(row.size):
        other = total[t] - (row[t] - mean)
        power += other * other
        shared += other * (row[t] - mean)
    slope = shared / power if power > 0.0 else 0.0
    for t in range(row.size):
        own = row[t] - mean
        out[t] = own - slope * (total[t] - own)


@kernel
def score_residuals(longer: Any, starts: Any, length: int, most: int, tolerance: int, close: int, out: Any) -> None:
    """Count shared minima of residuals, and the closeness of all minima, for each draw of shifts.

    Parameters
    ----------
    longer : ndarray[L, ≥ T] float64
        Layers, continued beyond the ends of the run.
    starts : ndarray[B, L] int64
        Where each layer's T steps begin, by draw.
    length : int
        T.
    most : int
        Most minima of a layer.
    tolerance, close : int
        Steps within which minima are shared, and below which they are close.
    out : ndarray[B, 2] int64
        Takes count and closeness.
    """
    layers, reach = len(longer), min(close, length // 2)
    total, residual, count = np.empty(length), np.empty(length), np.zeros(length, np.int64)
    means, depth, place = np.empty(layers), np.empty(most), np.empty(most, np.int64)
    for draw in range(len(starts)):
        total[:] = 0.0
        count[:] = 0
        shared, closeness = 0, 0
        for layer in range(layers):
            row = longer[layer, starts[draw, layer] : starts[draw, layer] + length]
            means[layer] = row.sum() / length
            for t in range(length):
                total[t] += row[t] - means[layer]
        for layer in range(layers):
            row = longer[layer, starts[draw, layer] : starts[draw, layer] + length]
            _residual(row, means[layer], total, residual)
            found = _deepest(residual, depth, place)
            for moment in range(found):
                count[place[moment]] += 1
            if tolerance > 0:
                shared -= _within_layer(place, found, length, min(tolerance, reach - 1))
        for t in range(length):
            if count[t] == 0:
                continue
            pairs = count[t] * (count[t] - 1) // 2
            shared += pairs
            closeness += close * pairs
            for apart in range(1, reach):
                together = count[t] * count[(t + apart) % length]
                closeness += (close - apart) * together
                shared += together if apart <= tolerance else 0
        out[draw, 0] = shared
        out[draw, 1] = closeness


def prepare() -> None:
    """Compile, although a full disk may refuse to keep the machine code."""
    first_call(score_residuals, np.zeros((1, 2)), np.zeros((1, 1), np.int64), 2, 1, 0, 1, np.zeros((1, 2), np.int64))
