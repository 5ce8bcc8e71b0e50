"""Which iterations are recorded."""

import operator
from collections.abc import Iterable
from typing import SupportsIndex

from lca_analysis.errors import ArgumentError
from lca_analysis.trajectory import RecordingPolicy
from lca_analysis.trajectory.manifest import are_windows


def is_due(policy: RecordingPolicy, iteration: int) -> bool:
    """Whether an iteration is recorded: a multiple of `every` and, where there are windows, inside one."""
    if iteration % policy.every:
        return False
    return not policy.windows or any(first <= iteration <= last for first, last in policy.windows)


def checked_windows(windows: Iterable[tuple[int, int]], every: int) -> list[tuple[int, int]]:
    """Give windows in order; ArgumentError unless each holds a multiple of `every` and none overlap."""
    pairs = sorted(_pair(window) for window in windows)
    if not are_windows(pairs):
        raise ArgumentError(
            f"windows must be pairs (first, last) of iterations from 0 on, first <= last, without overlap, not {pairs}"
        )
    for first, last in pairs:
        if last // every * every < first:
            raise ArgumentError(
                f"the window {first}-{last} holds no multiple of every={every}: nothing in it is recorded"
            )
    return pairs


def _pair(window: tuple[int, int]) -> tuple[int, int]:
    """Turn one window into two ints."""
    try:
        first, last = window
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"a window is a pair (first, last) of iterations, not {window!r}") from error
    return whole("a window's end", first), whole("a window's end", last)


def whole(name: str, value: SupportsIndex) -> int:
    """Turn a whole number of any kind into an int; ArgumentError for anything else."""
    try:
        return operator.index(value)
    except TypeError as error:
        raise ArgumentError(f"{name} must be a whole number, not {value!r}") from error
