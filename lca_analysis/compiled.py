"""Compiling inner loops with numba, kept on disk from one process to the next."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a function when it is first called; it then runs beside other threads of Python.

    Nothing is rearranged or fused: results are those of single IEEE 754 operations. The machine code is kept beside the
    source or, where that cannot be written, in the user's cache; without either, each process compiles for itself.
    """
    compiled = numba.njit(nogil=True, error_model="numpy")(function)
    try:
        compiled.enable_caching()
    except RuntimeError:  # numba's: no place that can be written to
        return cast(Function, compiled)
    return cast(Function, compiled)


def inner(function: Function) -> Function:
    """Compile a function that kernels call."""
    return cast(Function, numba.njit(nogil=True, error_model="numpy")(function))


def first_call(function: Callable[..., Any], *arguments: Any) -> None:
    """Compile a kernel for these arguments, although a full disk may refuse to keep the machine code."""
    try:
        function(*arguments)
    except OSError:
        function(*arguments)  # it is compiled, and only was not stored
