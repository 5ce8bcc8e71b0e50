import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lca_analysis.report.numbers import interval, number, p_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.034, "0.034"), (0.5, "0.50"), (1.0, "1.00"), (0.001, "0.001"), (0.0999, "0.100"),
        (3.21e-5, "< 0.001 (3.2 × 10⁻⁵)"), (1e-300, "< 0.001 (1.0 × 10⁻³⁰⁰)"),
        (0.0, "< 0.001 (below 2.3 × 10⁻³⁰⁸)"), (5e-324, "< 0.001 (below 2.3 × 10⁻³⁰⁸)"),
        (None, "–"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_p_values_are_honest(value, text):
    assert p_value(value).replace("\u00a0", " ") == text


@given(st.floats(0, 1))
def test_no_p_value_reads_as_zero(value):
    text = p_value(value)
    assert text not in {"0", "0.0", "0.00", "0.000"}
    assert text.startswith("<") == (value < 1e-3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (50.612, "50.6"), (-0.012345, "−0.0123"), (1234567, "1\u202f234\u202f567"), (-3, "−3"),
        (1.5e-7, "1.50 × 10⁻⁷"), (-2.5e9 + 0.5, "−2.50 × 10⁹"), (99999.6, "100\u202f000"), (None, "–"), (math.inf, "–"),
        ("text", "–"),
    ],
)  # fmt: skip
def test_numbers_have_sensible_digits(value, text):
    assert number(value).replace("\u00a0", " ") == text


@given(st.floats(1e-6, 1e8))
def test_numbers_say_the_value_to_three_digits(value):
    text = number(value).replace("\u202f", "").replace("\u00a0", " ")
    if "×" in text:
        mantissa, power = text.split(" × 10")
        text = mantissa + "e" + power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert float(text) == pytest.approx(value, rel=6e-3)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(1.0, 2.5, "1 to 2.50"), (None, 2.5, "−∞ to 2.50"), (-1.5, None, "−1.50 to ∞"), (None, None, "–")],
)
def test_intervals(low, high, text):
    assert interval(low, high) == text
