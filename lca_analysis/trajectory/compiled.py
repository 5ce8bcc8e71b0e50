"""What inner loops of the codec take from numba: compiling, and the bits of numbers."""

from collections.abc import Callable
from typing import Any, cast

from numba.core import cgutils
from numba.extending import intrinsic

from lca_analysis.compiled import first_call, inner, kernel

__all__ = ["bits_as", "first_call", "inner", "kernel", "leading_zeros"]


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
