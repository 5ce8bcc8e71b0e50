"""Compiling inner loops with numba, kept on disk from one process to the next."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core import cgutils, types
from numba.extending import intrinsic

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


def _bits_as(typing_context: Any, number: Any, like: Any) -> Any:
    """The bits of a number, read as a number of the type of another one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return like(number, like), generate


bits_as: Callable[[Any, Any], Any] = cast(Any, intrinsic(_bits_as))


def _leading_zeros(typing_context: Any, word: Any) -> Any:
    """The zero bits above the highest one of an unsigned word; all of them for 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], cgutils.false_bit)

    return word(word), generate


leading_zeros: Callable[[Any], Any] = cast(Any, intrinsic(_leading_zeros))


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Where a 64-bit word begins in an array of bytes."""
    data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
    return builder.bitcast(builder.gep(data, [arguments[1]]), context.get_value_type(types.uint64).as_pointer())


def _load_word(typing_context: Any, array: Any, place: Any) -> Any:
    """The 64-bit word that begins at a byte of an array; nothing checks that it lies within."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(context, builder, signature, arguments), align=1)

    return types.uint64(array, place), generate


load_word: Callable[[Any, Any], Any] = cast(Any, intrinsic(_load_word))


def _store_word(typing_context: Any, array: Any, place: Any, word: Any) -> Any:
    """Put a 64-bit word where `load_word` finds it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _pointer(context, builder, signature, arguments), align=1)
        return context.get_dummy_value()

    return types.none(array, place, word), generate


store_word: Callable[[Any, Any, Any], None] = cast(Any, intrinsic(_store_word))
