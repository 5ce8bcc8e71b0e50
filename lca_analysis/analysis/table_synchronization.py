"""The tables of synchronised learning: ``results_synchronization`` and ``results_peaks``."""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lca_analysis.analysis.coincidence import (
    Coincidence,
    coincidence_test,
    counts_of,
    local_reach,
    local_scores,
    pair_p_values,
    shared_scores,
    too_few_sets,
    too_few_shifts,
    unshifted,
)
from lca_analysis.analysis.evenness import why_uneven
from lca_analysis.analysis.inference import HAC_METHOD, MeanTest, hac_mean
from lca_analysis.analysis.layer_series import LayerSeries
from lca_analysis.analysis.leads import lead
from lca_analysis.analysis.multiplicity import HOLM
from lca_analysis.analysis.peaks import PEAKS, deepest_minima
from lca_analysis.analysis.residual_coincidence import (
    MIN_RESIDUAL,
    RESIDUAL_MONTE_CARLO,
    residual_coincidence_test,
)
from lca_analysis.analysis.residual_series import residual_series
from lca_analysis.analysis.rows import CONFIDENCE, EVERY_CLASS, Row, adjusted, from_test, generator
from lca_analysis.analysis.threads import in_threads

Reals = NDArray[np.float64]
Whole = NDArray[np.int64]

MIN_LENGTH = 3 * PEAKS
"""Fewest iterations on which the deepest minima are few enough to say something."""

_TOO_FEW = "at least two layers with local minima are needed"
_SCORED = "; residuals of normal scores, relative to the pace of learning, on the others' total"
_DRAWS_OF_CLASS = 199
_TAIL = "Pearson type III tail fitted to the null's first three moments (approximation)"


@dataclass(frozen=True)
class ClassPeaks:
    """Moments of learning of one class.

    Attributes
    ----------
    label : int
        The class; −1 for all of them.
    kept : ndarray[R] int64
        Places of the finite steps in the run; the peaks count on them.
    values : ndarray[R, L] float64
        Loss change of all layers in those steps.
    raw, residual : dict of str to ndarray[≤ 20] int64
        Peaks of each layer that has any, and those of its residual.
    uneven : str, optional
        Why shifts round the whole run are not valid.
    tolerance : int
        Recorded steps that two moments may lie apart and still be shared.
    """

    label: int
    kept: Whole
    values: Reals
    raw: dict[str, Whole]
    residual: dict[str, Whole]
    uneven: str | None
    tolerance: int = 0


def class_peaks(series: LayerSeries, label: int, tolerance: int = 0) -> ClassPeaks:
    """Find the moments of learning of every layer, for one class."""
    values = series.by_class[label]
    kept = np.flatnonzero(np.isfinite(values).all(1))
    inner = values[kept]
    found = []
    for columns in (inner, residual_series(inner)):
        peaks = {name: deepest_minima(column) for name, column in zip(series.layers, columns.T, strict=True)}
        found.append({name: places for name, places in peaks.items() if len(places)})
    uneven = why_uneven(inner) if len(kept) >= MIN_LENGTH else None
    return ClassPeaks(label, kept, inner, found[0], found[1], uneven, tolerance)


def synchronization_rows(found: list[ClassPeaks], seed: int) -> list[Row]:
    """Test whether layers share their moments of learning, for all classes together and for each class.

    Null 1: the layers' series are independent (circular shifts). Null 1, local: shifts within `local_reach` steps,
    which a common slow course of training passes. Null 2, and 2 local: the same, of the residuals after regression
    on the other layers' total. Local shifts mirror the run at its ends. Alternative: more shared moments than that.
    Unit of replication: the iteration.
    Where layers learn unevenly over the run (`why_uneven`), circular shifts are refused and pairs get local shifts.
    Assumptions and limits: those of `coincidence_test` and `residual_coincidence_test`. Holm over the four tests of
    all classes together, over classes for each of the tests, and over pairs of layers.

    Parameters
    ----------
    found : list of ClassPeaks
        The moments, all classes together first.
    seed : int
        Seed of the random shifts.

    Returns
    -------
    list of Row
        Quantity ``shared_peaks`` (and what the null expects); pairs have subject a|b.
    """
    rows: list[Row] = []
    families: dict[str, list[Row]] = {}
    for peaks, tests in zip(found, in_threads(lambda peaks: _tests(peaks, seed), found), strict=True):
        for null, (observed, expected, tail) in tests.items():
            families.setdefault("whole" if peaks.label == EVERY_CLASS else null, []).append(observed)
            rows += [row for row in (expected, tail) if row is not None]
    for family in families.values():
        rows += adjusted(family, HOLM)
    return [*rows, *(row for peaks in found if peaks.label == EVERY_CLASS for row in _pair_rows(peaks))]


def _tests(peaks: ClassPeaks, seed: int) -> dict[str, tuple[Row, Row | None, Row | None]]:
    """Run the four tests of one class: by null, the observed count, the expected one and the tail."""
    length = len(peaks.kept)
    reach = local_reach(length)
    near = _near(reach)
    found = {}
    for residual in (False, True):
        what = "independent layers, in their residuals on the others' total" if residual else "independent layers"
        for within in (None, reach):
            null = f"{what}, {'circular shifts' if within is None else near}"
            found[null] = _one_test(peaks, null, residual, within, seed)
    return found


def _one_test(
    peaks: ClassPeaks, null: str, residual: bool, reach: int | None, seed: int
) -> tuple[Row, Row | None, Row | None]:
    """Run one test."""
    length, chosen = len(peaks.kept), peaks.residual if residual else peaks.raw
    base = Row("shared_peaks", "", length, class_=peaks.label, null=null, alternative="greater")
    base = replace(base, method=f"layer pairs that share one of their deepest minima{_apart(peaks.tolerance)}, summed")
    if reason := _refused(peaks, len(chosen), residual, reach):
        return replace(base, reason=reason), None, None
    rng = generator(seed, "peaks", str(peaks.label), null)
    if residual:
        draws = RESIDUAL_MONTE_CARLO if peaks.label == EVERY_CLASS else _DRAWS_OF_CLASS
        found = residual_coincidence_test(peaks.values, rng, reach, draws, peaks.tolerance)
    else:
        found = coincidence_test(_scores(list(chosen.values()), length, reach, peaks.tolerance), rng)
    how = f"all {found.draws} shifts" if found.exact else f"{found.draws} random shifts, (b + 1) / (B + 1)"
    how += _apart(peaks.tolerance) + (_SCORED if residual else "")
    test = _interval(chosen, length, peaks.tolerance)
    observed = from_test(replace(base, method=f"{how}; interval: {HAC_METHOD}"), test, 0, length)
    observed = replace(observed, n=length, statistic=float(found.observed), p=found.p, reason=None)
    expected = replace(base, quantity="expected_shared_peaks", method=f"mean and central 95 % of the null; {how}")
    expected = replace(expected, alternative=None, estimate=found.expected, low=found.low, high=found.high)
    return observed, replace(expected, confidence=CONFIDENCE), _tail_row(replace(base, method=_TAIL), found)


def _refused(peaks: ClassPeaks, layers: int, residual: bool, reach: int | None) -> str | None:
    """Say why a test of so many layers with moments is not made."""
    length, least = len(peaks.kept), MIN_RESIDUAL if residual else MIN_LENGTH
    if peaks.values.shape[1] > 1 and length < least:
        return f"at least {least} finite steps are needed; there are {length}"
    if layers < 2:
        return _TOO_FEW
    return peaks.uneven if reach is None else too_few_sets(reach, layers)


def _near(reach: int) -> str:
    """Name the null of shifts within some steps."""
    return f"within ±{reach} steps (local shifts)"


def _scores(moments: list[Whole], length: int, reach: int | None, tolerance: int) -> Whole:
    """Count shared moments for all shifts, or for those within some steps."""
    if reach is None:
        return shared_scores(moments, length, tolerance)
    return local_scores(moments, length, (reach, reach), tolerance)


def _tail_row(base: Row, found: Coincidence) -> Row:
    """Give the tail approximation of one test."""
    reason = None if np.isfinite(found.tail_p) else "no shift changes the count"
    row = replace(base, quantity="shared_peaks_tail", estimate=float(found.observed), p=found.tail_p, reason=reason)
    return replace(row, statistic=float(found.observed))


def _apart(tolerance: int) -> str:
    """Say how far apart shared moments may lie, where they need not coincide."""
    return f", moments at most {tolerance} recorded steps apart" if tolerance else ""


def _interval(peaks: dict[str, Whole], length: int, tolerance: int) -> MeanTest:
    """Test the mean number of pairs by iteration, for its interval."""
    present = [_present(places, length) for places in peaks.values()]
    return hac_mean(np.sum([_together(a, b, tolerance) for a, b in combinations(present, 2)], axis=0))


def _present(places: Whole, length: int) -> Reals:
    """Mark the iterations of a layer's moments."""
    return np.isin(np.arange(length), places).astype(np.float64)


def _together(first: Reals, second: Reals, tolerance: int) -> Reals:
    """Count, at each moment of a layer, those of another at most so many steps apart on the ring."""
    reach = min(tolerance, (len(first) - 1) // 2)
    return first * np.sum([np.roll(second, offset) for offset in range(-reach, reach + 1)], axis=0)


def _pair_rows(peaks: ClassPeaks) -> list[Row]:
    """Test every pair of layers, exactly, over all valid shifts of one against the other.

    No p-value for less than `MIN_SHIFTS` shifts: local ones in runs of less than 250 steps.
    """
    names, length = list(peaks.raw), len(peaks.kept)
    if len(names) < 2 or length < MIN_LENGTH:
        return []
    moments = [peaks.raw[name] for name in names]
    if peaks.uneven is None:
        scores, near = shared_scores(moments, length, peaks.tolerance), "circular shifts"
    else:
        reach = 2 * local_reach(length)
        scores, near = local_scores(moments, length, (0, reach), peaks.tolerance), _near(reach)
    few = too_few_shifts(scores[0].size)
    how = f"all {scores[0].size} shifts{_apart(peaks.tolerance)}; interval: {HAC_METHOD}"
    base = Row("shared_peaks", how, length)
    base = replace(base, null=f"independent layers, {near}", alternative="greater")
    present = [_present(peaks.raw[name], length) for name in names]
    pairs = list(combinations(range(len(names)), 2))
    shared = [_together(present[a], present[b], peaks.tolerance) for a, b in pairs]
    intervals = hac_mean(np.stack(shared, axis=1))
    rows = []
    for place, (p, count) in enumerate(zip(pair_p_values(scores), counts_of(unshifted(scores)), strict=True)):
        a, b = pairs[place]
        row = from_test(replace(base, subject=f"{names[a]}|{names[b]}"), intervals, place, length)
        row = replace(row, n=length, estimate=float(count), statistic=float(count), p=float(p), reason=few)
        row = row if few is None else replace(row, low=np.nan, high=np.nan, confidence=np.nan)
        rows.append(row)
    return [*adjusted(rows, HOLM), *_lead_rows(peaks)]


def _lead_shifts(peaks: ClassPeaks) -> tuple[Whole, str]:
    """Choose the valid shifts of one layer against another on the ring, and say which they are."""
    length = len(peaks.kept)
    if peaks.uneven is None:
        return np.arange(length), "circular shifts"
    reach = 2 * local_reach(length)
    return np.arange(-reach, reach + 1), f"within ±{reach} steps (local circular shifts)"


def _lead_rows(peaks: ClassPeaks) -> list[Row]:
    """Test for every pair of layers which has its moments of learning first, in recorded steps."""
    rows = []
    shifts, near = _lead_shifts(peaks)
    how = f"recorded steps; signed closeness of near moments, all {len(shifts)} shifts; interval: t over moments"
    base = Row("peak_lead", how, 0)
    base = replace(base, null=f"independent layers, {near}", alternative="two-sided")
    for (first, own), (second, other) in combinations(peaks.raw.items(), 2):
        found = lead(own, other, len(peaks.kept), shifts)
        row = replace(base, subject=f"{first}|{second}", n=len(peaks.kept), estimate=found.estimate, p=found.p)
        known = CONFIDENCE if np.isfinite(found.low) else np.nan
        rows.append(replace(row, low=found.low, high=found.high, confidence=known, reason=found.reason))
    return adjusted(rows, HOLM)


def peaks_frame(found: list[ClassPeaks], series: LayerSeries) -> pd.DataFrame:
    """Put the moments of learning into the columns of ``results_peaks``."""
    frames = []
    for peaks in found:
        for layer, places in peaks.raw.items():
            step = peaks.kept[places]
            lca = series.by_class[peaks.label][step, series.layers.index(layer)]
            columns = {"layer": layer, "class": peaks.label, "rank": np.arange(1, len(step) + 1)}
            frames.append(pd.DataFrame(columns | {"iteration": series.iterations[step], "lca": lca}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
