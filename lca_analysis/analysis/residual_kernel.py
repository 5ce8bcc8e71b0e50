"""Inner loops of the test of shared moments in residuals, compiled: each draw repeats regression and minima."""

from typing import Any

import numpy as np

from lca_analysis.analysis.residual_series import NOTHING_LEFT
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
def _centre(row: Any, total: Any, out: Any) -> None:
    """Take the mean from a row, and add what is left to a total."""
    mean = row.sum() / row.size
    for t in range(row.size):
        out[t] = row[t] - mean
        total[t] += out[t]


@inner
def _residual(total: Any, scored: Any, own: Any) -> None:
    """Remove from a layer its regression on two totals of the others; as `residual_series.residual_series` does.

    In the place of the second total its residual on the first is left.
    """
    power, shared, of_own, before, own_before = 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(own.size):
        power += total[t] * total[t]
        shared += total[t] * scored[t]
        of_own += total[t] * own[t]
        before += scored[t] * scored[t]
        own_before += own[t] * own[t]
    slope, own_slope = (shared / power, of_own / power) if power > 0.0 else (0.0, 0.0)
    power, shared, own_power = 0.0, 0.0, 0.0
    for t in range(own.size):
        scored[t] -= slope * total[t]
        own[t] -= own_slope * total[t]
        power += scored[t] * scored[t]
        shared += scored[t] * own[t]
        own_power += own[t] * own[t]
    if not own_power > NOTHING_LEFT * own_before:
        own[:] = 0.0
        return
    if not power > NOTHING_LEFT * before:
        return
    slope, power = shared / power, 0.0
    for t in range(own.size):
        own[t] -= slope * scored[t]
        power += own[t] * own[t]
    if not power > NOTHING_LEFT * own_power:
        own[:] = 0.0


@kernel
def score_residuals(
    losses: Any, scores: Any, starts: Any, length: int, most: int, tolerance: int, close: int, out: Any
) -> None:
    """Count shared minima of residuals, and the closeness of all minima, for each draw of shifts.

    Parameters
    ----------
    losses, scores : ndarray[L, ≥ T] float64
        Layers, and their normal scores, continued beyond the ends of the run.
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
    layers, reach = len(losses), min(close, length // 2)
    own, own_scores, count = np.empty((layers, length)), np.empty((layers, length)), np.zeros(length, np.int64)
    total, total_of_scores = np.empty(length), np.empty(length)
    others, scores_of_others = np.empty(length), np.empty(length)
    depth, place = np.empty(most), np.empty(most, np.int64)
    for draw in range(len(starts)):
        total[:], total_of_scores[:], count[:] = 0.0, 0.0, 0
        shared, closeness = 0, 0
        for layer in range(layers):
            start = starts[draw, layer]
            _centre(losses[layer, start : start + length], total, own[layer])
            _centre(scores[layer, start : start + length], total_of_scores, own_scores[layer])
        for layer in range(layers):
            for t in range(length):
                others[t] = total[t] - own[layer, t]
                scores_of_others[t] = total_of_scores[t] - own_scores[layer, t]
            _residual(others, scores_of_others, own_scores[layer])
            found = _deepest(own_scores[layer], depth, place)
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
    rows = np.zeros((1, 2))
    first_call(score_residuals, rows, rows, np.zeros((1, 1), np.int64), 2, 1, 0, 1, np.zeros((1, 2), np.int64))
