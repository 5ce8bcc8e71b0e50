"""Simulated series under each test's null, and with planted effects: what ``calibration.py`` measures and judges.

Each measure gives p-values (or 0 and 1 for an interval that misses and one that covers), NaN for a refusal.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from lca_analysis.analysis.bootstrap import bootstrap_mean
from lca_analysis.analysis.coincidence import (
    coincidence_test,
    local_reach,
    local_scores,
    pair_p_values,
    shared_scores,
    too_few_sets,
)
from lca_analysis.analysis.evenness import why_uneven
from lca_analysis.analysis.flips import flip_interval
from lca_analysis.analysis.helping import efficiency
from lca_analysis.analysis.inference import hac_mean
from lca_analysis.analysis.lags import lag_curve, lag_of_maximum, mean_delay, resample_counts
from lca_analysis.analysis.multiplicity import BENJAMINI_HOCHBERG, HOLM, adjust, too_few_to_correct
from lca_analysis.analysis.peaks import deepest_minima
from lca_analysis.analysis.periodicity import periodicity
from lca_analysis.analysis.residual_coincidence import MIN_RESIDUAL, residual_coincidence_test

Reals = NDArray[np.float64]

LENGTHS = (100, 500, 2000)
COEFFICIENTS = (0.0, 0.5, 0.9)
INNOVATIONS = ("normal", "t3")
LEVEL = 0.05
_BURN_IN = 200


@dataclass(frozen=True)
class Case:
    """A kind of series."""

    length: int
    coefficient: float
    innovation: str

    def draw(self, rng: np.random.Generator, count: int) -> Reals:
        """Draw series as columns, each of mean 0 and variance about 1."""
        size = (_BURN_IN + self.length, count)
        noise = rng.standard_normal(size) if self.innovation == "normal" else rng.standard_t(3, size) / np.sqrt(3)
        series = lfilter([1.0], [1.0, -self.coefficient], noise, axis=0)[_BURN_IN:]
        return series * np.sqrt(1 - self.coefficient**2)


Simulation = Callable[[Case, np.random.Generator, int], Reals]

CASES = [Case(t, phi, kind) for t in LENGTHS for phi in COEFFICIENTS for kind in INNOVATIONS]


def hac_rates(case: Case, rng: np.random.Generator, repeats: int, effect: float = 0.0) -> Reals:
    """p-values of the two-sided and of the one-sided test of the mean, `effect` in long-run standard errors: [., 2]."""
    error = np.sqrt((1 + case.coefficient) / (1 - case.coefficient) / case.length)
    series = case.draw(rng, repeats) + effect * error
    return np.column_stack([hac_mean(series).p, hac_mean(series, alternative="greater").p])


def envelope_rates(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """p-values of the test of the mean when the variance falls by a factor of 400 over the run."""
    envelope = np.exp(-3 * np.arange(case.length) / case.length)[:, None]
    return hac_mean(case.draw(rng, repeats) * envelope, alternative="greater").p


def efficiency_rates(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """p-values of net over gross when helping and hurting cancel."""
    net = case.draw(rng, repeats)
    return efficiency(net, np.abs(net) + rng.gamma(2.0, size=net.shape)).p


def bootstrap_rates(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """Whether the block-bootstrap interval misses the mean (0; 1: covers), and the one-sided p-value: [repeats, 2]."""
    found = [bootstrap_mean(column, rng, repeats=199) for column in case.draw(rng, repeats).T]
    covers = [np.nan if np.isnan(one.low) else float(one.low <= 0 <= one.high) for one in found]
    return np.column_stack([covers, [one.p("greater") for one in found]])


def flip_rates(case: Case, rng: np.random.Generator, repeats: int, parameters: int = 30) -> Reals:
    """p-values of the flip interval of dependent parameters."""
    found = []
    for _ in range(repeats):
        series = case.draw(rng, parameters) + case.draw(rng, 1)
        found.append(flip_interval(series).p[0])
    return np.array(found)


def periodicity_rates(case: Case, rng: np.random.Generator, repeats: int, amplitude: float = 0.0) -> Reals:
    """p-values of periodicity; `amplitude` is that of a sinusoid of period 12.3, in standard deviations."""
    wave = np.sin(2 * np.pi * np.arange(case.length)[:, None] / 12.3 + rng.uniform(0, 6.28, repeats))
    return periodicity(case.draw(rng, repeats) + amplitude * wave).p


def coincidence_rates(
    case: Case, rng: np.random.Generator, repeats: int, layers: int = 3, **options: float | bool
) -> Reals:
    """p-values of shared moments.

    Options: `common` (weight of a component that all layers share), `drop` (by which all of them fall in four moments),
    `envelope` (all layers learn most at the start), `local` (shifts within `local_reach`), `residual` (after regression
    on the other layers' total).
    """
    found = []
    reach = local_reach(case.length) if options.get("local") else None
    for _ in range(repeats):
        series = case.draw(rng, layers) + float(options.get("common", 0)) * case.draw(rng, 1)
        series[rng.choice(case.length, 4, replace=False)] -= float(options.get("drop", 0))
        if options.get("envelope"):
            series = series * np.exp(-3 * np.arange(case.length) / case.length)[:, None]
        short = bool(options.get("residual")) and case.length < MIN_RESIDUAL
        if short or (why_uneven(series) if reach is None else too_few_sets(reach, layers)) is not None:
            found.append(np.nan)
            continue
        if options.get("residual"):
            found.append(residual_coincidence_test(series, rng, reach, 199).p)
        else:
            found.append(coincidence_test(_scores(series, reach), rng).p)
    return np.array(found)


def _scores(series: Reals, reach: int | None) -> NDArray[np.int64]:
    """Count shared moments for all shifts, or for those within some steps."""
    moments = [deepest_minima(column) for column in series.T]
    if reach is None:
        return shared_scores(moments, len(series))
    return local_scores(moments, len(series), (reach, reach))


def pair_rates(case: Case, rng: np.random.Generator, repeats: int, local: bool = False) -> Reals:
    """p-values of one pair of layers, by all shifts of one against the other, or by local ones."""
    found = []
    for _ in range(repeats):
        moments = [deepest_minima(column) for column in case.draw(rng, 2).T]
        scores = shared_scores(moments, case.length)
        if local:
            scores = local_scores(moments, case.length, (0, 2 * local_reach(case.length)))
        found.append(pair_p_values(scores)[0])
    return np.array(found)


def lag_misses(case: Case, rng: np.random.Generator, repeats: int, momentum: float = 0.8) -> Reals:
    """Whether the intervals of lag (truth 3) and mean delay (truth m / (1 − m)) miss: 0, 1 (covers), NaN: [., 2]."""
    lag, delay = [], []
    for _ in range(repeats):
        gradient = case.draw(rng, 20)
        counts = resample_counts(case.length, rng, 199)
        late = -np.roll(gradient, 3, axis=0) + 2 * rng.standard_normal(gradient.shape)
        moved = lfilter([1.0], [1.0, -momentum], -gradient + rng.standard_normal(gradient.shape), axis=0)
        for series, store, measure, truth in (
            (late, lag, lag_of_maximum, 3.0),
            (moved, delay, mean_delay, momentum / (1 - momentum)),
        ):
            curve = lag_curve(series, gradient)
            drawn = counts @ curve.products / case.length
            found = measure(curve, drawn)
            store.append(np.nan if np.isnan(found.low) else float(found.low <= truth <= found.high))
    return np.column_stack([lag, delay])


def family_rates(case: Case, rng: np.random.Generator, repeats: int, effects: int = 0, tests: int = 40) -> Reals:
    """Smallest Holm p-value of a family's true nulls, and their share among its discoveries (FDR): [repeats, 2].

    Layers that share a component, some of which hurt. A test that counts as too few independent iterations to be one of
    many rejects nothing; NaN where all true nulls are such.
    """
    error = np.sqrt((1 + case.coefficient) / (1 - case.coefficient) / case.length)
    rows = []
    for _ in range(repeats):
        series = case.draw(rng, tests) + 0.5 * case.draw(rng, 1)
        series[:, :effects] += 6 * error
        found = hac_mean(series, alternative="greater")
        holm, shares = (adjust(found.p, name, found.effective_n) for name in (HOLM, BENJAMINI_HOCHBERG))
        if (too_few_to_correct(found.p, found.effective_n) | np.isnan(found.p))[effects:].all():
            rows.append((np.nan, np.nan))
            continue
        wrong, right = (shares[effects:] <= LEVEL).sum(), (shares[:effects] <= LEVEL).sum()
        rows.append((np.nanmin(holm[effects:]), wrong / max(wrong + right, 1)))
    return np.array(rows)


def lag_found(case: Case, rng: np.random.Generator, repeats: int, lag: int = 9) -> Reals:
    """0 where a planted lag is recovered within one iteration, 1 where it is not."""
    found = []
    for _ in range(repeats):
        gradient = case.draw(rng, 20)
        step = -np.roll(gradient, lag, axis=0) + 2 * rng.standard_normal(gradient.shape)
        curve = lag_curve(step, gradient)
        found.append(float(abs(curve.lag[curve.correlation.argmax()] - lag) > 1))
    return np.array(found)


def planted_peaks(case: Case, rng: np.random.Generator, repeats: int, layers: int = 4, **options: bool) -> Reals:
    """p-values of shared moments where a fifth of each layer's 20 moments is shared by all."""
    reach = local_reach(case.length) if options.get("local") else None
    found = []
    for _ in range(repeats):
        series = case.draw(rng, layers)
        series[rng.choice(case.length, 4, replace=False)] -= 6
        found.append(coincidence_test(_scores(series, reach), rng).p)
    return np.array(found)


def planted_pairs(case: Case, rng: np.random.Generator, repeats: int, layers: int = 8) -> Reals:
    """p-values of shared moments in residuals where a fifth of each layer's 20 moments is shared with one other."""
    found = []
    for _ in range(repeats):
        series = case.draw(rng, layers)
        for pair in range(0, layers, 2):
            series[rng.choice(case.length, 4, replace=False), pair : pair + 2] -= 6
        found.append(residual_coincidence_test(series, rng, None, 199).p)
    return np.array(found)


def rate(p: Reals) -> tuple[float, float]:
    """Share of p ≤ 0.05, and share of refusals."""
    refused = np.isnan(p)
    return float((p[~refused] <= LEVEL).sum() / len(p)), float(refused.mean())
