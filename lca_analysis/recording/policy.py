"""Which iterations are recorded."""

import operator
from collections.abc import Iterable, Sequence
from typing import SupportsIndex

from lca_analysis.errors import ArgumentError
from lca_analysis.trajectory import RecordingPolicy
from lca_analysis.trajectory.manifest import are_windows


def make_policy(
    every: int, windows: Sequence[tuple[int, int]], error_fraction: float, preset: str, segment_length: int
) -> RecordingPolicy:
    """Check when and how to record."""
    every = whole("every", every)
    if every < 1:
        raise ArgumentError(f"every must be 1 or more, not {every}")
    if not isinstance(error_fraction, int | float) or not 0 <= error_fraction <= 1:
        raise ArgumentError(f"error_fraction must be a number from 0 (lossless) to 1, not {error_fraction!r}")
    return RecordingPolicy(
        every=every,
        preset=preset,
        lossless=error_fraction == 0,
        segment_length=segment_length,
        error_fraction=float(error_fraction),
        windows=checked_windows(windows, every),
    )


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
