"""How often each test rejects its null when it is true, and when it is not: the measured table, judged.

    python benchmarks/calibration.py                     # all rows, about 25 minutes of processor time
    python benchmarks/calibration.py --repeats 1600      # four times the simulations, half the errors
    python benchmarks/calibration.py --seed 7            # other simulations
    python benchmarks/calibration.py --only periodicity  # rows whose name holds a word, the same as among all rows
    python benchmarks/calibration.py --json FILE         # the rows as JSON too

Each row is a test on simulated series of T iterations, AR(1) with coefficient φ and normal or Student-t₃ innovations.
``rate`` is the share of p ≤ 0.05 (or of 95 % intervals that miss the truth, or of false discoveries), where a refusal
counts as no rejection; ``refused`` is the share of those. A row passes when its rate lies in its range, give or take
two binomial errors of a rate at its edge. A range from 0 is that of a test that is conservative there, or refuses, as
its docstring says; the sign test, being discrete, must have the level that its results name, give or take three errors.
The exit code is 1 when a row fails.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path

import calibration_lags as lags
import calibration_measures as simulate
import calibration_runs as runs
import numpy as np
from calibration_measures import CASES, COEFFICIENTS, Case

from lca_analysis.analysis.replication import sign_level
from lca_analysis.progress import track

LEVEL = (0.03, 0.07)
AT_MOST = (0.0, 0.07)
FOUND = (0.9, 1.0)
_SHORT = [Case(length, phi, kind) for length in (20, 50) for phi in COEFFICIENTS for kind in ("normal", "t3")]
_LONG = [Case(1000, phi, kind) for phi in COEFFICIENTS for kind in ("normal", "t3")]


@dataclass(frozen=True)
class Measure:
    """A row for each kind of series: how it is simulated, how often, and in which range its rate must lie."""

    name: str
    simulate: simulate.Simulation
    weight: float
    bounds: tuple[float, float] = LEVEL
    cases: tuple[Case, ...] = tuple(CASES)
    averaged: bool = False
    errors: float = 2.0
    part: int | None = None  # of the numbers of one simulation, which several measures share


@dataclass(frozen=True)
class Result:
    """What a row shows."""

    name: str
    length: int
    coefficient: float
    innovation: str
    rate: float
    error: float
    refused: float
    low: float
    high: float
    repeats: int
    passed: bool

    def __str__(self) -> str:
        """Write the row."""
        verdict = "PASS" if self.passed else "FAIL"
        return (
            f"{verdict}  {self.name:46s} {self.length:5d} {self.coefficient:4.1f} {self.innovation:7s} "
            f"{self.rate:6.3f} ±{self.error:6.3f}  in {self.low:5.3f} to {self.high:5.3f}  refused {self.refused:5.3f}"
        )


def _cases(
    coefficients: tuple[float, ...] = COEFFICIENTS, lengths: tuple[int, ...] = simulate.LENGTHS
) -> tuple[Case, ...]:
    """Choose kinds of series."""
    return tuple(case for case in CASES if case.coefficient in coefficients and case.length in lengths)


def _sign_test(count: int, alternative: str) -> Measure:
    """Judge the sign test by the level that it truly has, being discrete: neither more nor less."""
    level = sign_level(count, alternative)
    name = f"sign test over {count} runs, {alternative}"
    return Measure(
        name, lambda c, r, n: runs.over_runs(c, r, n, "sign", alternative, count), 5, (level, level), errors=3
    )


_MIXED = partial(simulate.family_rates, effects=10)
MEASURES = [
    Measure("mean, HAC, two-sided", simulate.hac_rates, 10, part=0),
    Measure("mean, HAC, greater", simulate.hac_rates, 10, part=1),
    Measure("mean, HAC, falling variance", simulate.envelope_rates, 10),
    Measure("efficiency, HAC", simulate.efficiency_rates, 4),
    Measure("mean, block bootstrap, interval", simulate.bootstrap_rates, 3, part=0),
    Measure("mean, block bootstrap, greater", simulate.bootstrap_rates, 3, part=1),
    Measure("flip interval, white noise", simulate.flip_rates, 5, cases=_cases((0.0,))),
    Measure("periodicity, one parameter", simulate.periodicity_rates, 10),
    Measure("shared moments, 3 layers", simulate.coincidence_rates, 4),
    Measure("shared moments, 8 layers", lambda c, r, n: simulate.coincidence_rates(c, r, n, 8), 1.5),
    *(
        Measure(name, partial(simulate.coincidence_rates, local=True, **options), 2, bounds, _cases(lengths=lengths))
        for about, options in (("", {}), (", common envelope", {"envelope": True}))
        for name, bounds, lengths in (
            (f"shared moments, local shifts{about}", LEVEL, (500, 2000)),
            (f"shared moments, local shifts{about}, short", AT_MOST, (100,)),
        )
    ),
    Measure(
        "shared moments, common envelope",
        lambda c, r, n: simulate.coincidence_rates(c, r, n, envelope=True),
        2,
        AT_MOST,
    ),
    Measure("residual moments, 3 layers", lambda c, r, n: simulate.coincidence_rates(c, r, n, residual=True), 1.5),
    Measure("residual moments, 8 layers", lambda c, r, n: simulate.coincidence_rates(c, r, n, 8, residual=True), 1),
    Measure(
        "residual moments, 8 layers, common component",
        lambda c, r, n: simulate.coincidence_rates(c, r, n, 8, residual=True, common=1.0),
        0.25,
        AT_MOST,
    ),
    Measure("shared moments of a pair", simulate.pair_rates, 4),
    Measure("lag of maximum, interval", simulate.lag_misses, 1.25, cases=_cases((0.0, 0.5)), part=0),
    Measure(
        "lag of maximum, interval, broad maximum",
        simulate.lag_misses,
        1.25,
        AT_MOST,
        _cases((0.9,)),
        part=0,
    ),
    Measure("mean delay, interval", simulate.lag_misses, 1.25, AT_MOST, part=1),
    Measure("lag against the rest", lags.lag_rates, 1.25, cases=_cases((0.0, 0.5)), part=0),
    Measure("lag against the rest, broad maximum", lags.lag_rates, 1.25, AT_MOST, _cases((0.9,)), part=0),
    Measure("mean delay against the rest", lags.lag_rates, 1.25, AT_MOST, part=1),
    Measure("mean delay against the momentum", lags.lag_rates, 1.25, AT_MOST, part=2),
    Measure("coherence", lags.coherence_rates, 2),
    Measure("coherence, interval", lags.coherence_misses, 2, part=0),
    Measure("phase, interval", lags.coherence_misses, 2, part=1),
    Measure("group delay, interval", lags.coherence_misses, 2, part=2),
    Measure("lead of moments", runs.lead_rates, 5),
    Measure("t over 8 runs", lambda c, r, n: runs.over_runs(c, r, n, "t", "two-sided"), 5),
    Measure("t over 8 runs, greater", lambda c, r, n: runs.over_runs(c, r, n, "t", "greater"), 5),
    Measure("signed ranks over 8 runs", lambda c, r, n: runs.over_runs(c, r, n, "ranks", "two-sided"), 5),
    *(_sign_test(count, alternative) for count, alternative in ((8, "greater"), (8, "two-sided"), (17, "two-sided"))),
    Measure("split less train", lambda c, r, n: runs.generalization_rates(c, r, n, "net_lca_minus_train"), 5),
    Measure(
        "helps train, hurts split: boundary",
        lambda c, r, n: runs.generalization_rates(c, r, n, "helps_train_hurts_here", 50.0),
        5,
    ),
    Measure(
        "helps train, hurts split: neither",
        lambda c, r, n: runs.generalization_rates(c, r, n, "helps_train_hurts_here"),
        5,
        AT_MOST,
    ),
    Measure("hurting spans, 2 layers", runs.span_rates, 1, AT_MOST),
    Measure("mean, HAC, greater, few iterations", runs.short_rates, 10, AT_MOST, tuple(_SHORT)),
    Measure("evenness of learning, line", runs.evenness_rates, 5, part=0),
    Measure("evenness of learning, parabola", runs.evenness_rates, 5, part=1),
    Measure("Holm, 40 nulls", simulate.family_rates, 3, part=0),
    Measure("Holm, 30 nulls of 40", _MIXED, 3, part=0),
    Measure("false discovery rate, 40 nulls", simulate.family_rates, 3, averaged=True, part=1),
    Measure("false discovery rate, 30 nulls of 40", _MIXED, 3, averaged=True, part=1),
    Measure(
        "power: mean of 0.2 deviations",
        lambda c, r, n: simulate.hac_rates(c, r, n, 0.2 * c.length**0.5)[:, 1],
        2,
        FOUND,
        tuple(case for case in _LONG if case.coefficient == 0),
    ),
    Measure(
        "power: sinusoid of ⅓ deviation",
        lambda c, r, n: simulate.periodicity_rates(c, r, n, 1 / 3),
        2,
        FOUND,
        tuple(case for case in _LONG if case.coefficient == 0),
    ),
    Measure(
        "power: learning falls to a twentieth", lambda c, r, n: runs.evenness_rates(c, r, n, 3.0)[:, 0], 0.5, FOUND
    ),
    Measure("power: lag of 9 within 1", simulate.lag_found, 0.2, FOUND, tuple(_LONG)),
    Measure("power: 20 % shared moments", simulate.planted_peaks, 0.2, FOUND, tuple(_LONG)),
    Measure(
        "power: 20 %, local", lambda c, r, n: simulate.planted_peaks(c, r, n, local=True), 0.2, FOUND, tuple(_LONG)
    ),
    Measure(
        "power: 20 %, residual",
        lambda c, r, n: simulate.planted_peaks(c, r, n, residual=True),
        0.2,
        FOUND,
        tuple(_LONG),
    ),
]


@cache
def _simulated(simulation: simulate.Simulation, case: Case, seed: int, count: int) -> simulate.Reals:
    """Simulate a row, once for all measures that share it."""
    return simulation(case, np.random.default_rng([seed, case.length, int(10 * case.coefficient)]), count)


def judge(measure: Measure, case: Case, repeats: int, seed: int = 0) -> Result:
    """Measure a row and hold it against its range."""
    count = max(int(repeats * measure.weight), 20)
    values = _simulated(measure.simulate, case, seed, count)
    if measure.part is not None:
        values = values[:, measure.part]
    found, refused = simulate.rate(values)
    if measure.averaged:
        found = float(np.nansum(values) / count)  # a refusal discovers nothing
    error = float(np.sqrt(max(found * (1 - found), 1 / count) / count))
    low, high = measure.bounds
    if measure.bounds != FOUND:
        low *= 1 - refused  # what is refused rejects nothing
    below, above = (measure.errors * np.sqrt(edge * (1 - edge) / count) for edge in (low, high))
    passed = bool(low - below <= found <= high + above)
    return Result(
        measure.name, case.length, case.coefficient, case.innovation, found, error, refused, low, high, count, passed
    )


def results(repeats: int, words: Iterable[str] = ("",), seed: int = 1) -> Iterator[Result]:
    """Measure every row whose name holds one of the words."""
    wanted = [measure for measure in MEASURES if any(word in measure.name for word in words)]
    chosen = [(measure, case) for measure in wanted for case in measure.cases]
    with track(len(chosen), "calibration", "row", None) as bar:
        for measure, case in chosen:
            yield judge(measure, case, repeats, seed)
            bar.update()


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400, help="simulations of a row, times the row's weight")
    parser.add_argument("--seed", type=int, default=1, help="of all simulations")
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="WORD", help="rows whose name holds one of these words"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON")
    chosen = parser.parse_args()
    found = []
    for result in results(chosen.repeats, chosen.only, chosen.seed):
        print(result, flush=True)
        found.append(result)
    failed = [result for result in found if not result.passed]
    print(f"{len(found) - len(failed)} of {len(found)} rows pass")
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(result) for result in found], indent=2, ensure_ascii=False) + "\n")
    return int(bool(failed) or not found)


if __name__ == "__main__":
    sys.exit(main())
