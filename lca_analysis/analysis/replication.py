"""Means and medians over repeated runs: intervals and tests whose unit of replication is the run."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from lca_analysis.analysis.inference import CONSTANT, MeanTest
from lca_analysis.analysis.signed_ranks import interval_of_ranks, p_of_ranks, smallest_p_of_ranks
from lca_analysis.errors import ArgumentError

T_METHOD = "mean over runs, t"
SIGN_METHOD = "median over runs, exact sign test"
RANK_METHOD = "Hodges–Lehmann over runs, exact signed ranks (Wilcoxon)"

MIN_RUNS = 3
"""Fewest runs whose mean is tested."""

LEVEL = 0.05
"""A test that cannot reach this level, whatever the data, is not given."""

Reals = NDArray[np.float64]
_Result = dict[str, float | str | None]


def t_over_runs(
    values: ArrayLike, null: float = 0.0, alternative: str = "two-sided", confidence: float = 0.95
) -> MeanTest:
    """Estimate and test the mean of quantities that each run gives once.

    Null: the mean over all runs that could have been drawn is `null`. Alternative: it is not, is greater, or is less.
    Unit of replication: the run. Assumptions: runs are independent repeats, and their values roughly normal; exact
    then. Heavier symmetric tails make it cautious, and strong skewness in few runs makes one-sided tests wrong: see
    the sign test beside it. Refused below `MIN_RUNS` runs, and where all values are the same.

    Parameters
    ----------
    values : array_like[R] or [R, N] float
        A value of each run, for each of N quantities; NaN values are left out.
    null : float
        Mean under the null.
    alternative : str
        "two-sided", "greater" or "less".
    confidence : float
        Of the two-sided interval.

    Returns
    -------
    MeanTest
        Means with interval and test, or the reason why there is none.

    Raises
    ------
    ArgumentError
        The alternative is unknown.
    """

    def one(known: Reals) -> _Result:
        if reason := _refusal(known, null, MIN_RUNS):
            return {"estimate": _mean(known), "reason": reason}
        mean, freedom = float(known.mean()), len(known) - 1
        error = float(known.std(ddof=1) / np.sqrt(len(known)))
        half = error * float(special.stdtrit(freedom, (1 + confidence) / 2))
        t = (mean - null) / error
        greater, less = float(special.stdtr(freedom, -t)), float(special.stdtr(freedom, t))
        return {
            "estimate": mean,
            "low": mean - half,
            "high": mean + half,
            "standard_error": error,
            "statistic": t,
            "p": _of_tails(greater, less, alternative),
        }

    return _by_column(values, alternative, one)


def sign_over_runs(
    values: ArrayLike, null: float = 0.0, alternative: str = "two-sided", confidence: float = 0.95
) -> MeanTest:
    """Estimate and test the median of quantities that each run gives once.

    Null: the median is `null`. Alternative: it is not, is greater, or is less. Unit of replication: the run.
    Assumption: runs are independent repeats, nothing else. Exact, and so discrete: it rejects a true null at 0.05 with
    the probability `sign_level`, never more, often much less (of 8 runs two-sided 0.008, of 9 0.039); the tables name
    it beside every p-value. It is not brought nearer to 0.05 by mid-p or by chance: the first would exceed it (0.070
    with 8 runs), the second would let a coin decide. Refused where no outcome could reach 0.05. Values that equal the
    null say nothing and are left out. The interval is that of order statistics, and covers at least as often as it
    says.

    Parameters
    ----------
    values, null, alternative, confidence
        As for `t_over_runs`.

    Returns
    -------
    MeanTest
        Medians with interval and test; the statistic counts the runs above the null, `effective_n` those not at it.
    """

    def one(known: Reals) -> _Result:
        moved = known[known != null]
        smallest = (1 if alternative != "two-sided" else 2) * 0.5 ** len(moved)
        result: _Result = {"estimate": float(np.median(known)) if len(known) else np.nan, "effective_n": len(moved)}
        if reason := _refusal(known, null, 1) or _unreachable(len(moved), smallest):
            return result | {"reason": reason}
        above = int((moved > null).sum())
        p = _of_tails(_at_most(len(moved) - above, len(moved)), _at_most(above, len(moved)), alternative)
        outside = sum(_at_most(count, len(known)) <= (1 - confidence) / 2 for count in range(len(known) // 2))
        if outside:
            ordered = np.sort(known)
            result |= {"low": float(ordered[outside - 1]), "high": float(ordered[-outside])}
        return result | {"statistic": float(above), "p": p}

    return _by_column(values, alternative, one)


def sign_level(runs: int, alternative: str = "greater") -> float:
    """Give the probability that the exact sign test rejects a true null at 0.05: the discrete level that it has."""
    share = LEVEL / 2 if alternative == "two-sided" else LEVEL
    tail = max((level for count in range(runs) if (level := _at_most(count, runs)) <= share), default=0.0)
    return 2 * tail if alternative == "two-sided" else tail


def ranks_over_runs(
    values: ArrayLike, null: float = 0.0, alternative: str = "two-sided", confidence: float = 0.95
) -> MeanTest:
    """Estimate and test the centre of quantities that each run gives once, by signed ranks.

    Null: the values lie symmetrically about `null`. Alternative: they lie higher or lower, higher, or lower. Unit of
    replication: the run (for paired configurations the pair, whose difference is symmetric when the configurations do
    not differ). Exact also with ties; values that equal the null are left out. Refused where no outcome could reach
    0.05.

    Parameters
    ----------
    values, null, alternative, confidence
        As for `t_over_runs`.

    Returns
    -------
    MeanTest
        Hodges–Lehmann estimates (median of the means of all pairs) with interval and test; the statistic is the sum of
        the ranks of the values above the null.

    Notes
    -----
    Wilcoxon (1945); Hodges and Lehmann (1963).
    """

    def one(known: Reals) -> _Result:
        moved = known[known != null] - null
        pairs = np.add.outer(known, known)[np.tril_indices(len(known))] / 2
        result: _Result = {"estimate": float(np.median(pairs)) if len(known) else np.nan}
        smallest = smallest_p_of_ranks(len(moved), alternative)
        if reason := _refusal(known, null, 1) or _unreachable(len(moved), smallest):
            return result | {"reason": reason}
        statistic, p = p_of_ranks(moved, alternative)
        low, high = interval_of_ranks(np.sort(pairs), len(known), confidence)
        return result | {"low": low, "high": high, "statistic": statistic, "p": p}

    return _by_column(values, alternative, one)


def _at_most(count: int, runs: int) -> float:
    """Give the probability of at most so many successes in runs of chance one half."""
    return float(special.bdtr(count, runs, 0.5))


def _of_tails(greater: float, less: float, alternative: str) -> float:
    """Choose the p-value of an alternative from those of both sides."""
    return {"greater": greater, "less": less, "two-sided": min(2 * min(greater, less), 1.0)}[alternative]


def _mean(known: Reals) -> float:
    """Average values, where there are any."""
    return float(known.mean()) if len(known) else np.nan


def _refusal(known: Reals, null: float, fewest: int) -> str | None:
    """Say why values cannot be tested."""
    if len(known) == 0:
        return "no run has a value"
    if len(known) < fewest:
        return f"at least {fewest} runs are needed; there {'is' if len(known) == 1 else 'are'} {len(known)}"
    spread = float(np.ptp(known))
    if spread <= 1e-12 * max(float(np.abs(known).max()), abs(null)):
        return f"{CONSTANT.replace('the series', 'the value')} over runs" if len(known) > 1 else None
    return None


def _unreachable(runs: int, smallest: float) -> str | None:
    """Say that a test of so few runs cannot reach the level."""
    if smallest <= LEVEL:
        return None
    return f"{runs} run{'' if runs == 1 else 's'} cannot reach p ≤ {LEVEL:g}: the smallest possible is {smallest:.3g}"


def _by_column(values: ArrayLike, alternative: str, one: Callable[[Reals], _Result]) -> MeanTest:
    """Apply a test to each column."""
    if alternative not in ("two-sided", "greater", "less"):
        raise ArgumentError(f"there is no alternative {alternative!r}; use two-sided, greater or less")
    table = np.asarray(values, np.float64)
    columns = (table[:, None] if table.ndim == 1 else table).T
    known = [column[np.isfinite(column)] for column in columns]
    found = [one(column) for column in known]
    counts = np.array([len(column) for column in known], np.int64)

    def gather(name: str) -> Reals:
        return np.array([result.get(name, np.nan) for result in found], np.float64)

    effective = np.array([result.get("effective_n", count) for result, count in zip(found, counts, strict=True)])

    reasons = tuple(None if (reason := result.get("reason")) is None else str(reason) for result in found)
    numbers = {name: gather(name) for name in ("estimate", "low", "high", "standard_error", "statistic", "p")}
    return MeanTest(**numbers, n=counts, effective_n=effective.astype(np.float64), reason=reasons)
