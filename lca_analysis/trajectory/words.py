"""Tensors as unsigned machine words whose order is the order of the numbers.

Neighbouring floats map to neighbouring integers, so a small change of a weight is a small integer
difference, and every bit pattern (NaN payloads, −0, infinities, denormals) has a place of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import FormatError

Words = NDArray[np.unsignedinteger[Any]]

PART = 2**18  # bytes of an array that one pass takes at a time: what a few passes share stays in the cache


@dataclass(frozen=True)
class WordFormat:
    """How one dtype lies in memory, on disk and in the arithmetic of the predictors."""

    storage: np.dtype[Any]
    word: np.dtype[Any]
    kind: str  # "float", "bfloat16" or "integer"

    @cached_property
    def signed(self) -> np.dtype[Any]:
        """The signed integer dtype as wide as the words."""
        return np.dtype(f"i{self.word.itemsize}")

    @cached_property
    def top_bit(self) -> Any:
        """The word in which only the sign bit is set."""
        return self.word.type(1 << (8 * self.word.itemsize - 1))


def _format(storage: str, word: str, kind: str) -> WordFormat:
    return WordFormat(np.dtype(storage), np.dtype(word), kind)


# One-byte types travel as 16-bit words, the narrowest that the entropy coder takes.
FORMATS = {
    "float64": _format("f8", "u8", "float"),
    "float32": _format("f4", "u4", "float"),
    "float16": _format("f2", "u2", "float"),
    "bfloat16": _format("u2", "u2", "bfloat16"),
    "bool": _format("?", "u2", "integer"),
    "uint8": _format("u1", "u2", "integer"),
    "int8": _format("i1", "u2", "integer"),
    "uint16": _format("u2", "u2", "integer"),
    "int16": _format("i2", "u2", "integer"),
    "uint32": _format("u4", "u4", "integer"),
    "int32": _format("i4", "u4", "integer"),
    "uint64": _format("u8", "u8", "integer"),
    "int64": _format("i8", "u8", "integer"),
}


def word_format(dtype: str) -> WordFormat:
    """Look up the word format of a dtype name; FormatError for a dtype that runs do not hold."""
    if dtype not in FORMATS:
        raise FormatError(f"dtype {dtype!r} is not one that a run can hold; known: {', '.join(FORMATS)}")
    return FORMATS[dtype]


def to_words(array: NDArray[Any], form: WordFormat) -> Words:
    """Reinterpret an array in its storage dtype as flat words, in C order."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if form.storage.itemsize == form.word.itemsize:
        return flat.view(form.word)
    return flat.view(np.uint8).astype(form.word)


def from_words(words: Words, form: WordFormat) -> NDArray[Any]:
    """Reinterpret words as a flat array in the storage dtype."""
    if form.storage.itemsize == form.word.itemsize:
        return words.view(form.storage)
    return words.astype(np.uint8).view(form.storage)


def to_ordered(words: Words, form: WordFormat) -> Words:
    """Map words so that unsigned order is numeric order; integers are left as they are."""
    if form.kind == "integer":
        return words
    mask = (words.view(form.signed) >> (8 * form.word.itemsize - 1)).view(form.word)
    mask |= form.top_bit
    mask ^= words
    return mask


def from_ordered(ordered: Words, form: WordFormat) -> Words:
    """Undo `to_ordered`."""
    if form.kind == "integer":
        return ordered
    mask = ordered >> form.word.type(8 * form.word.itemsize - 1)
    mask -= form.word.type(1)
    mask |= form.top_bit
    mask ^= ordered
    return mask


def zigzag(difference: Words, form: WordFormat) -> Words:
    """Fold wrapped differences 0, −1, 1, −2, … to 0, 1, 2, 3, …."""
    sign = (difference.view(form.signed) >> (8 * form.word.itemsize - 1)).view(form.word)
    folded = difference << form.word.type(1)
    folded ^= sign
    return folded


def unzigzag(folded: Words, form: WordFormat) -> Words:
    """Undo `zigzag`."""
    sign = folded & form.word.type(1)
    np.negative(sign, out=sign)
    sign ^= folded >> form.word.type(1)
    return sign


def parts(place: slice, itemsize: int) -> list[slice]:
    """Cut a stretch of an array into parts of at most PART bytes."""
    size = PART // itemsize
    return [slice(start, min(place.stop, start + size)) for start in range(place.start, place.stop, size)]


def in_parts(function: Callable[..., Words], *arrays: Words, out: Words | None = None) -> Words:
    """Apply an elementwise function of equal flat arrays part by part, into `out` if given."""
    first = arrays[0]
    result = np.empty_like(first) if out is None else out
    for part in parts(slice(0, first.size), first.itemsize):
        result[part] = function(*(array[part] for array in arrays))
    return result


def bfloat16_to_float32(words: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Widen bfloat16 words to the float32 numbers that they stand for, exactly.

    Parameters
    ----------
    words : ndarray[...] uint16
        bfloat16 bit patterns, as `Run.weights` returns them.

    Returns
    -------
    ndarray[...] float32
        The same numbers; every bfloat16 is a float32.
    """
    wide = np.asarray(words, dtype=np.uint16).astype(np.uint32) << np.uint32(16)
    return wide.view(np.float32)


def to_numbers(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Give the numbers of a tensor as a run holds it: bfloat16 words widened to float32, all else as it is."""
    return bfloat16_to_float32(array) if dtype == "bfloat16" else array


def float32_to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round float32 to the nearest bfloat16 word, ties to even.

    Parameters
    ----------
    values : ndarray[...] float32
        Numbers to round; a NaN stays a NaN only if its upper mantissa bits are set.

    Returns
    -------
    ndarray[...] uint16
        bfloat16 bit patterns.
    """
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype(np.uint16)
