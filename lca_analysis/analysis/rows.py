"""Rows of the results tables."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from lca_analysis.analysis.bootstrap import BootstrapMean, Interval
from lca_analysis.analysis.inference import MeanTest
from lca_analysis.analysis.multiplicity import MIN_EFFECTIVE, UNCORRECTED, adjust, too_few_to_correct
from lca_analysis.store import TABLES

ITERATIONS, PARAMETERS = "iterations", "parameters"
EVERY_CLASS = -1
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Row:
    """One estimate or test; numbers that are NaN are stored as null."""

    quantity: str
    method: str
    n: int
    replication: str = ITERATIONS
    layer: str | None = None
    class_: int = EVERY_CLASS
    subject: str | None = None
    estimate: float = np.nan
    low: float = np.nan
    high: float = np.nan
    confidence: float = np.nan
    statistic: float = np.nan
    p: float = np.nan
    p_adjusted: float = np.nan
    adjustment: str | None = None
    null: str | None = None
    alternative: str | None = None
    reason: str | None = None
    effective: float = np.nan  # independent iterations that a test counts as; not stored


def from_test(base: Row, test: MeanTest, column: int = 0, scale: float = 1.0) -> Row:
    """Fill a row with one mean, in another unit where `scale` says so.

    Parameters
    ----------
    base : Row
        What it is of.
    test : MeanTest
        The means.
    column : int
        Which of them.
    scale : float
        Factor on estimate and interval.

    Returns
    -------
    Row
        The row; without an interval it keeps its estimate and says why.
    """
    known = np.isfinite(test.low[column])
    return replace(
        base,
        n=int(test.n[column]),
        estimate=float(test.estimate[column] * scale),
        low=float(test.low[column] * scale),
        high=float(test.high[column] * scale),
        confidence=CONFIDENCE if known else np.nan,
        statistic=float(test.statistic[column]),
        p=float(test.p[column]),
        reason=test.reason[column],
        effective=float(test.effective_n[column]) if base.replication == ITERATIONS else np.nan,
    )


def from_interval(base: Row, found: Interval, scale: float = 1.0) -> Row:
    """Fill a row with an estimate and its interval, without a test."""
    known = np.isfinite(found.low)
    return replace(
        base,
        n=found.n,
        estimate=found.estimate * scale,
        low=found.low * scale,
        high=found.high * scale,
        confidence=CONFIDENCE if known else np.nan,
        reason=found.reason,
    )


def from_bootstrap(base: Row, found: BootstrapMean, scale: float = 1.0) -> Row:
    """Fill a row with a mean, its bootstrap interval and the p-value of the row's alternative."""
    row = from_interval(base, found, scale)
    return replace(row, p=found.p(base.alternative or "two-sided"), effective=found.effective)


def adjusted(rows: Sequence[Row], adjustment: str) -> list[Row]:
    """Correct the p-values of a family of tests; rows without a p-value stay as they are.

    Of several tests, those that count as too few independent iterations get the corrected p-value 1, and say why.
    """
    p, effective = ([getattr(row, name) for row in rows] for name in ("p", "effective"))
    values, few = adjust(p, adjustment, effective), too_few_to_correct(p, effective)
    return [
        row if np.isnan(row.p) else replace(row, p_adjusted=float(value), adjustment=_told(adjustment, row, scant))
        for row, value, scant in zip(rows, values, few, strict=True)
    ]


def _told(adjustment: str, row: Row, few: bool) -> str:
    """Name a correction, or say why it could not be made."""
    if not few:
        return adjustment
    return f"{adjustment}{UNCORRECTED}{row.effective:.1f} independent iterations are too few ({MIN_EFFECTIVE} needed)"


def to_frame(rows: Iterable[Row], table: str) -> pd.DataFrame:
    """Put rows into the columns of a results table."""
    records = [asdict(row) for row in rows]
    names = ["class_" if name == "class" else name for name in TABLES[table].schema.names]
    return pd.DataFrame(records, columns=names).rename(columns={"class_": "class"})


def generator(seed: int, *names: str) -> np.random.Generator:
    """Make a source of random numbers that depends on the seed and on what it is for, and on nothing else."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])
