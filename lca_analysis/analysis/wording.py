"""Numbers in sentences."""

import pandas as pd

from lca_analysis.analysis.multiplicity import UNCORRECTED

LEVEL = 0.05
"""Adjusted p-values at most this large count as significant."""


def signed(value: float) -> str:
    """Write a number with its sign and three figures."""
    return f"{value:+.3g}".replace("-", "−")


def plain(value: float) -> str:
    """Write a number with three figures."""
    return f"{value:.3g}".replace("-", "−")


def p_text(value: float) -> str:
    """Write a p-value: two figures, as a power of ten when it is small; beyond 10⁻¹⁰ only that it is smaller."""
    if value < 1e-10:
        return "< 10⁻¹⁰"
    if value >= 0.001:
        return f"= {value:.2g}"
    digits, exponent = f"{value:.1e}".split("e")
    power = exponent.replace("-0", "-").translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"= {digits} · 10{power}"


def interval_text(row: pd.Series, unit: str = "") -> str:
    """Write the interval of a results row, or say that there is none."""
    if pd.isna(row["low"]):
        return "no interval"
    kind = f"{100 * row['confidence']:.0f} % interval"
    return f"{kind} {plain(row['low'])} to {plain(row['high'])}{unit}"


def test_text(row: pd.Series) -> str:
    """Write the p-value of a results row, corrected where it is."""
    if pd.isna(row["p"]):
        return f"no test: {row['reason']}"
    if row["p_adjusted"] == row["p"] or pd.isna(row["p_adjusted"]):
        return f"p {p_text(row['p'])}"
    name, _, why = row["adjustment"].partition(UNCORRECTED)
    text = f"{name} p {p_text(row['p_adjusted'])}"
    return f"{text}, since {why}" if why else text


def significant(row: pd.Series) -> bool:
    """Whether a results row's corrected p-value is at most `LEVEL`."""
    return bool(pd.notna(row["p_adjusted"]) and row["p_adjusted"] <= LEVEL)


def listed(names: list[str]) -> str:
    """Join names with commas; the first five of many."""
    shown = names if len(names) <= 6 else [*names[:5], f"{len(names) - 5} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
