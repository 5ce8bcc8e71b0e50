"""The mapping of numbers to words against Python's own comparison, torch's bfloat16, and its inverse."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from trajectory.made_runs import special_words

from lca_analysis.errors import FormatError
from lca_analysis.trajectory.words import (
    FORMATS,
    bfloat16_to_float32,
    float32_to_bfloat16,
    from_ordered,
    from_words,
    to_ordered,
    to_words,
    unzigzag,
    word_format,
    zigzag,
)


@pytest.mark.parametrize("dtype", FORMATS)
def test_words_come_back_to_the_bit(dtype):
    form, array = word_format(dtype), special_words(dtype)
    words = to_words(array, form)
    assert from_words(from_ordered(to_ordered(words, form), form), form).tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_ordered_words_have_the_order_of_the_numbers(dtype):
    form = word_format(dtype)
    drawn = np.random.default_rng(0).normal(0, 1, 40).astype(form.storage)
    numbers = np.concatenate([drawn, [0.0, np.inf, -np.inf, 1e-7, -1e-7]]).astype(form.storage)
    ordered = [int(word) for word in to_ordered(to_words(numbers, form), form)]
    for (x, a), (y, b) in itertools.combinations(zip(numbers.tolist(), ordered, strict=True), 2):
        assert (x < y) == (a < b)
        assert (x == y) == (a == b)


def test_neighbouring_floats_are_neighbouring_words():
    form = word_format("float32")
    numbers = np.array([-1.5, -1e-40, 1e-45, 3.0, 65504.0], np.float32)
    after = np.nextafter(numbers, np.float32(np.inf))
    assert np.array_equal(
        to_ordered(to_words(after, form), form) - to_ordered(to_words(numbers, form), form), np.ones(5)
    )


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_zigzag_folds_small_differences_of_either_sign_to_small_numbers(differences):
    form, words = word_format("float32"), np.array(differences, np.uint32)
    folded = zigzag(words, form)
    for word, fold in zip(differences, folded.tolist(), strict=True):
        signed = word - 2**32 if word >= 2**31 else word
        assert fold == (2 * signed if signed >= 0 else -2 * signed - 1)
    assert np.array_equal(unzigzag(folded, form), words)


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20))
def test_bfloat16_rounds_as_torch_does(values):
    array = np.array(values, np.float32)
    rounded = torch.from_numpy(array).to(torch.bfloat16)
    assert np.array_equal(float32_to_bfloat16(array), rounded.view(torch.int16).numpy().view(np.uint16))
    assert np.array_equal(bfloat16_to_float32(float32_to_bfloat16(array)), rounded.to(torch.float32).numpy())


def test_an_unknown_dtype_is_refused_by_name():
    with pytest.raises(FormatError, match="complex64"):
        word_format("complex64")
