"""Numbers in words: digits that mean something, and p-values that are never zero."""

import math

SMALLEST = 2.3e-308
PLAIN_FROM, PLAIN_TO = 1e-3, 1e5
ROUND_FROM = 1e3
MINUS = "−"
NONE = "–"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def is_number(value: object) -> bool:
    """Say whether a cell of a table holds a finite number."""
    try:
        return math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def scientific(value: float, digits: int = 2) -> str:
    """Write a number as a × 10ⁿ.

    Parameters
    ----------
    value : float
        The number.
    digits : int
        Significant digits.

    Returns
    -------
    str
        Such as "3.1 × 10⁻⁷", with spaces at which lines do not break.
    """
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.replace('-', MINUS)}\u00a0×\u00a010{str(int(exponent)).translate(_RAISED)}"


def number(value: object, digits: int = 3) -> str:
    """Write a number with a few significant digits.

    Parameters
    ----------
    value : object
        A number; what is none (null, NaN, infinite) gives a dash.
    digits : int
        Significant digits; whole numbers keep all of theirs.

    Returns
    -------
    str
        With a true minus sign, thin spaces between thousands, and as a × 10ⁿ when very small or large.
    """
    if not is_number(value):
        return NONE
    real = float(value)  # type: ignore[arg-type]
    if real == 0:
        return "0"
    if real.is_integer() and abs(real) < 1e12:
        return f"{real:,.0f}".replace(",", "\u202f").replace("-", MINUS)
    if not PLAIN_FROM <= abs(real) < PLAIN_TO:
        return scientific(real, digits)
    decimals = max(digits - 1 - math.floor(math.log10(abs(real))), 0)
    return f"{real:,.{decimals}f}".replace(",", "\u202f").replace("-", MINUS)


def p_value(value: object) -> str:
    """Write a p-value.

    Parameters
    ----------
    value : object
        A p-value; what is none gives a dash.

    Returns
    -------
    str
        Such as "0.034" or "< 0.001 (3.2 × 10⁻⁵)"; a value too small for a number is said to be below the smallest.
    """
    if not is_number(value):
        return NONE
    real = float(value)  # type: ignore[arg-type]
    if real < SMALLEST:
        return f"<\u00a00.001 (below\u00a0{scientific(SMALLEST)})"
    if real < 1e-3:
        return f"<\u00a00.001 ({scientific(real)})"
    return f"{real:.3f}" if real < 0.1 else f"{real:.2f}"


def interval(low: object, high: object, digits: int = 3) -> str:
    """Write an interval, or a dash when there is none."""
    if not (is_number(low) or is_number(high)):
        return NONE
    ends = [number(end, digits) if is_number(end) else "∞" for end in (low, high)]
    if not is_number(low):
        ends[0] = f"{MINUS}∞"
    return f"{ends[0]} to {ends[1]}"
