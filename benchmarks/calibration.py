"""How often each test rejects its null when it is true, and when it is not: the measured table.

Run ``python benchmarks/calibration.py`` (some minutes; ``--repeats`` scales it). Each row is a test on simulated
series of T iterations, AR(1) with coefficient φ and normal or Student-t₃ innovations. ``rate`` is the share of p ≤ 0.05
(or of 95 % intervals that miss the truth), where a refusal counts as no rejection; ``refused`` is the share of those.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from lca_analysis.analysis.bootstrap import bootstrap_mean
from lca_analysis.analysis.coincidence import (
    JITTER,
    coincidence_test,
    pair_p_values,
    residual_coincidence_test,
    shared_scores,
)
from lca_analysis.analysis.evenness import why_uneven
from lca_analysis.analysis.flips import flip_interval
from lca_analysis.analysis.helping import efficiency
from lca_analysis.analysis.inference import hac_mean
from lca_analysis.analysis.lags import lag_curve, lag_of_maximum, mean_delay, resample_counts
from lca_analysis.analysis.peaks import deepest_minima
from lca_analysis.analysis.periodicity import periodicity

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


CASES = [Case(t, phi, kind) for t in LENGTHS for phi in COEFFICIENTS for kind in INNOVATIONS]


def hac_rates(case: Case, rng: np.random.Generator, repeats: int, effect: float = 0.0) -> tuple[Reals, Reals]:
    """p-values of the two-sided and the one-sided test of the mean; `effect` in long-run standard errors."""
    error = np.sqrt((1 + case.coefficient) / (1 - case.coefficient) / case.length)
    series = case.draw(rng, repeats) + effect * error
    return hac_mean(series).p, hac_mean(series, alternative="greater").p


def envelope_rates(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """p-values of the test of the mean when the variance falls by a factor of 400 over the run."""
    envelope = np.exp(-3 * np.arange(case.length) / case.length)[:, None]
    return hac_mean(case.draw(rng, repeats) * envelope, alternative="greater").p


def efficiency_rates(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """p-values of net over gross when helping and hurting cancel."""
    net = case.draw(rng, repeats)
    return efficiency(net, np.abs(net) + rng.gamma(2.0, size=net.shape)).p


def bootstrap_misses(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """Whether the block-bootstrap interval misses the mean: 0 (misses), 1 (covers), NaN (refused)."""
    found = [bootstrap_mean(column, rng, repeats=399) for column in case.draw(rng, repeats).T]
    return np.array([np.nan if np.isnan(one.low) else float(one.low <= 0 <= one.high) for one in found])


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

    Options: `common` (weight of a component that all layers share), `envelope` (all layers learn most at the start),
    `local` (shifts within ± JITTER), `residual` (after regression on the other layers' total).
    """
    found = []
    reach = min(JITTER, case.length // 8)
    shifts = np.arange(-reach, reach + 1) if options.get("local") else None
    for _ in range(repeats):
        series = case.draw(rng, layers) + float(options.get("common", 0)) * case.draw(rng, 1)
        if options.get("envelope"):
            series = series * np.exp(-3 * np.arange(case.length) / case.length)[:, None]
        if shifts is None and why_uneven(series) is not None:
            found.append(np.nan)
            continue
        if options.get("residual"):
            found.append(residual_coincidence_test(series, rng, shifts, 199).p)
            continue
        scores = shared_scores([deepest_minima(column) for column in series.T], case.length)
        found.append(coincidence_test(scores, rng, shifts).p)
    return np.array(found)


def pair_rates(case: Case, rng: np.random.Generator, repeats: int) -> Reals:
    """p-values of one pair of layers."""
    pairs = (case.draw(rng, 2) for _ in range(repeats))
    scores = (shared_scores([deepest_minima(column) for column in pair.T], case.length) for pair in pairs)
    return np.array([pair_p_values(score)[0] for score in scores])


def lag_misses(case: Case, rng: np.random.Generator, repeats: int, momentum: float = 0.8) -> tuple[Reals, Reals]:
    """Whether the intervals of lag (truth 3) and mean delay (truth m / (1 − m)) miss: 0, 1 (covers), NaN."""
    lag, delay = [], []
    for _ in range(repeats):
        gradient = case.draw(rng, 20)
        late = -np.roll(gradient, 3, axis=0) + 2 * rng.standard_normal(gradient.shape)
        moved = lfilter([1.0], [1.0, -momentum], -gradient + rng.standard_normal(gradient.shape), axis=0)
        for series, store, measure, truth in (
            (late, lag, lag_of_maximum, 3.0),
            (moved, delay, mean_delay, momentum / (1 - momentum)),
        ):
            curve = lag_curve(series, gradient)
            drawn = resample_counts(case.length, rng, 199) @ curve.products / case.length
            found = measure(curve, drawn)
            store.append(np.nan if np.isnan(found.low) else float(found.low <= truth <= found.high))
    return np.array(lag), np.array(delay)


def rate(p: Reals) -> tuple[float, float]:
    """Share of p ≤ 0.05, and share of refusals."""
    refused = np.isnan(p)
    return float((p[~refused] <= LEVEL).sum() / len(p)), float(refused.mean())


Measure = Callable[[Case, np.random.Generator, int], Reals]

MEASURES: list[tuple[str, Measure, float, tuple[float, ...]]] = [
    ("mean, HAC, two-sided", lambda c, r, n: hac_rates(c, r, n)[0], 10, COEFFICIENTS),
    ("mean, HAC, greater", lambda c, r, n: hac_rates(c, r, n)[1], 10, COEFFICIENTS),
    ("mean, HAC, falling variance", envelope_rates, 10, COEFFICIENTS),
    ("efficiency, HAC", efficiency_rates, 10, COEFFICIENTS),
    ("mean, block bootstrap interval", bootstrap_misses, 0.5, COEFFICIENTS),
    ("flip interval, white noise", flip_rates, 0.5, (0.0,)),
    ("periodicity, one parameter", periodicity_rates, 10, COEFFICIENTS),
    ("shared moments, 3 layers", coincidence_rates, 0.5, COEFFICIENTS),
    ("shared moments, 8 layers", lambda c, r, n: coincidence_rates(c, r, n, 8), 0.5, COEFFICIENTS),
    ("shared moments, local shifts", lambda c, r, n: coincidence_rates(c, r, n, local=True), 0.5, COEFFICIENTS),
    ("shared moments, common envelope", lambda c, r, n: coincidence_rates(c, r, n, envelope=True), 0.5, (0.0,)),
    (
        "shared moments, common envelope, local shifts",
        lambda c, r, n: coincidence_rates(c, r, n, envelope=True, local=True),
        0.5,
        (0.0,),
    ),
    ("residual moments, 3 layers", lambda c, r, n: coincidence_rates(c, r, n, residual=True), 0.5, (0.0, 0.9)),
    ("residual moments, 8 layers", lambda c, r, n: coincidence_rates(c, r, n, 8, residual=True), 0.5, (0.0, 0.9)),
    (
        "residual moments, 8 layers, common component",
        lambda c, r, n: coincidence_rates(c, r, n, 8, residual=True, common=1.0),
        0.5,
        (0.0, 0.9),
    ),
    ("shared moments of a pair", pair_rates, 1, COEFFICIENTS),
    ("lag of maximum, interval", lambda c, r, n: lag_misses(c, r, n)[0], 0.15, (0.0, 0.5)),
    ("mean delay, interval", lambda c, r, n: lag_misses(c, r, n)[1], 0.15, (0.0, 0.5)),
    ("power: mean of 3 standard errors", lambda c, r, n: hac_rates(c, r, n, 3.0)[1], 10, COEFFICIENTS),
    ("power: sinusoid of ½ deviation", lambda c, r, n: periodicity_rates(c, r, n, 0.5), 2, COEFFICIENTS),
    ("power: common component", lambda c, r, n: coincidence_rates(c, r, n, common=1.0), 0.3, COEFFICIENTS),
]


def table(repeats: int, seed: int = 0) -> Iterator[str]:
    """Measure every test on every kind of series, line by line."""
    yield f"{'test':48s} {'T':>5s} {'φ':>4s} {'noise':7s} {'rate':>6s} {'± error':>8s} {'refused':>8s}"
    for name, measure, weight, coefficients in MEASURES:
        count = max(int(repeats * weight), 20)
        for case in CASES:
            if case.coefficient in coefficients:
                found, refused = rate(measure(case, np.random.default_rng(seed), count))
                error = np.sqrt(max(found * (1 - found), 1 / count) / count)
                yield (
                    f"{name:48s} {case.length:5d} {case.coefficient:4.1f} {case.innovation:7s} "
                    f"{found:6.3f} {error:8.3f} {refused:8.3f}"
                )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400, help="simulations of a row, times the row's weight")
    for line in table(parser.parse_args().repeats):
        print(line, flush=True)


if __name__ == "__main__":
    main()
