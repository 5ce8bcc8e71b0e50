"""What inner loops of the codec take from numba: compiling, and the bits of numbers."""

from collections.abc import Callable
from typing import Any, cast

from numba.core import cgutils, types
from numba.extending import intrinsic

from lca_analysis.compiled import first_call, inner, kernel

__all__ = ["bits_as", "first_call", "inner", "kernel", "leading_zeros", "load_word", "store_word"]


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
