"""Doing the same for many things at once, on all cores."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")
Found = TypeVar("Found")


def in_threads(work: Callable[[Thing], Found], things: Iterable[Thing]) -> list[Found]:
    """Apply a function to each thing, in threads; what is found comes in the order of the things.

    numpy, scipy and compiled kernels let other threads run while they compute. Nothing may depend on which is first:
    random numbers come from a generator of each thing's own.
    """
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(work, things))
