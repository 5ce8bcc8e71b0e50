import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lca_analysis.store import BINS, bin_edges, bin_numbers


def test_eight_bins_a_decade_over_twenty_decades():
    assert BINS == 160
    lower, upper = bin_edges(np.arange(1, BINS + 1))
    np.testing.assert_array_equal(lower[1:], upper[:-1])
    np.testing.assert_allclose(upper / lower, 10 ** (1 / 8))
    assert math.isclose(lower[0], 1e-16)
    assert math.isclose(upper[-1], 1e4)


def test_negative_bins_mirror_positive_ones():
    lower, upper = bin_edges([-5, 0, 5])
    assert (lower[0], upper[0]) == (-upper[2], -lower[2])
    assert (lower[1], upper[1]) == (0, 0)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0.0, 0),
        (-0.0, 0),
        (1.0, 129),
        (-1.0, -129),
        (1e-300, 1),
        (5e-324, 1),
        (-1e-17, -1),
        (1e300, 160),
        (-np.inf, -160),
    ],
)
def test_bins_of_known_values(value, number):
    assert bin_numbers(value) == number


@given(st.floats(1e-16, 9.9e3), st.sampled_from([-1, 1]))
def test_a_value_lies_within_the_edges_of_its_bin(size, sign):
    number = bin_numbers([sign * size])
    lower, upper = bin_edges(number)
    assert lower[0] <= sign * size <= upper[0]
    assert np.sign(number[0]) == sign
    assert abs(abs(int(number[0])) - (8 * (math.log10(size) + 16) + 0.5)) <= 0.5 + 1e-6


def test_shape_and_type_are_kept():
    numbers = bin_numbers(np.ones((2, 3), np.float32))
    assert numbers.shape == (2, 3)
    assert numbers.dtype == np.int32
