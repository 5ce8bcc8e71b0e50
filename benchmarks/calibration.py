"""How often each test rejects its null when it is true, and when it is not: the measured table, judged.

    python benchmarks/calibration.py                     # all rows, some 15 minutes of processor time
    python benchmarks/calibration.py --repeats 400       # four times the simulations, half the errors
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
from typing import Any

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
_SHORT_RUNS = "runs shorter than those that tests are held to 0.03 for; most are refused where φ is 0.9"
_CORRECTED = "a correction bounds its error from above, whatever the dependence of the tests"
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
    why: str = ""  # it may lie below 0.03


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


_MIXED = partial(simulate.family_rates, effects=10)
_RESIDUAL = partial(simulate.coincidence_rates, residual=True)
_NO_EFFECT = tuple(case for case in _LONG if case.coefficient == 0)
_INSIDE = "inside a composite null, where a level below 0.05 is inherent; its boundary is a row of its own"


def _sign_test(place: int) -> Measure:
    """Judge the sign test by the level that it truly has, being discrete: neither more nor less."""
    _, alternative, count = runs.OVER_RUNS[place]
    level = sign_level(count, alternative)
    name = f"sign test over {count} runs, {alternative}"
    return Measure(name, runs.over_runs, 10, (level, level), errors=3, part=place)


def _local(about: str, **options: bool) -> Measure:
    """Judge local shifts."""
    return Measure(about, partial(simulate.coincidence_rates, local=True, **options), 4)


def _against_train(name: str, weight: float, quantity: str, help_: float = 0.0, **judged: Any) -> Measure:
    """Judge a test of another split against train."""
    return Measure(name, partial(runs.generalization_rates, quantity=quantity, help_=help_), weight, **judged)


MEASURES = [
    Measure("mean, HAC, two-sided", simulate.hac_rates, 20, part=0),
    Measure("mean, HAC, greater", simulate.hac_rates, 20, part=1),
    Measure("mean, HAC, falling variance", simulate.envelope_rates, 20),
    Measure("mean, HAC, greater, few iterations", runs.short_rates, 20, AT_MOST, tuple(_SHORT), why=_SHORT_RUNS),
    Measure("efficiency, HAC", simulate.efficiency_rates, 4),
    Measure("mean, block bootstrap, interval", simulate.bootstrap_rates, 4, part=0),
    Measure("mean, block bootstrap, greater", simulate.bootstrap_rates, 4, part=1),
    Measure("flip interval, white noise", simulate.flip_rates, 10, cases=_cases((0.0,))),
    Measure("periodicity, one parameter", simulate.periodicity_rates, 20),
    Measure("shared moments, 3 layers", simulate.coincidence_rates, 5),
    Measure("shared moments, 8 layers", partial(simulate.coincidence_rates, layers=8), 3),
    Measure("shared moments, common envelope", partial(simulate.coincidence_rates, envelope=True), 4),
    _local("shared moments, local shifts"),
    _local("shared moments, local shifts, common envelope", envelope=True),
    Measure("residual moments, 3 layers", _RESIDUAL, 6),
    Measure("residual moments, 8 layers", partial(_RESIDUAL, layers=8), 4),
    _local("residual moments, local shifts", residual=True),
    *(
        Measure(
            f"residual moments, 8 layers, common component, {kind}",
            partial(_RESIDUAL, layers=8, common=1.0),
            3,
            AT_MOST,
            tuple(case for case in CASES if case.innovation == kind),
            why=_INSIDE,
        )
        for kind in ("normal", "t3")
    ),
    Measure(
        "residual moments, 8 layers, common component, local shifts, common envelope",
        partial(_RESIDUAL, layers=8, common=1.0, local=True, envelope=True),
        4,
        AT_MOST,
        why=_INSIDE,
    ),
    Measure(
        "residual moments, 8 layers, four common drops",
        partial(_RESIDUAL, layers=8, drop=12.0),
        3,
        AT_MOST,
        why=_INSIDE,
    ),
    Measure("shared moments of a pair", simulate.pair_rates, 8),
    Measure("shared moments of a pair, local shifts", partial(simulate.pair_rates, local=True), 8),
    Measure("lead of moments", runs.lead_rates, 10),
    Measure("lead of moments, local shifts", partial(runs.lead_rates, local=True), 10),
    Measure("lag of maximum, interval", simulate.lag_misses, 4, part=0),
    Measure("mean delay, interval", simulate.lag_misses, 4, part=1),
    Measure("lag against the rest", lags.lag_rates, 4, part=0),
    Measure("mean delay against the rest", lags.lag_rates, 4, part=1),
    Measure("mean delay against the momentum", lags.lag_rates, 4, part=2),
    Measure("coherence", lags.coherence_rates, 5),
    Measure("coherence, interval", lags.coherence_misses, 5, part=0),
    Measure("phase, interval", lags.coherence_misses, 5, part=1),
    Measure("group delay, interval", lags.coherence_misses, 5, part=2),
    Measure("t over 8 runs", runs.over_runs, 10, part=0),
    Measure("t over 8 runs, greater", runs.over_runs, 10, part=1),
    Measure("signed ranks over 8 runs", runs.over_runs, 10, part=2),
    *(_sign_test(place) for place in (3, 4, 5)),
    _against_train("split less train", 10, "net_lca_minus_train"),
    _against_train("helps train, hurts split: boundary", 10, "helps_train_hurts_here", 50.0),
    _against_train("helps train, hurts split: neither", 2, "helps_train_hurts_here", bounds=AT_MOST, why=_INSIDE),
    Measure("hurting spans, 2 layers", runs.span_rates, 4, AT_MOST, why=_CORRECTED),
    Measure("evenness of learning, line", runs.evenness_rates, 10, part=0),
    Measure("evenness of learning, parabola", runs.evenness_rates, 10, part=1),
    Measure("Holm, 40 nulls", simulate.family_rates, 5, AT_MOST, part=0, why=_CORRECTED),
    Measure("Holm, 30 nulls of 40", _MIXED, 5, AT_MOST, part=0, why=_CORRECTED),
    Measure("false discovery rate, 40 nulls", simulate.family_rates, 5, AT_MOST, averaged=True, part=1, why=_CORRECTED),
    Measure("false discovery rate, 30 nulls of 40", _MIXED, 5, AT_MOST, averaged=True, part=1, why=_CORRECTED),
    Measure(
        "power: mean of 0.2 deviations",
        lambda c, r, n: simulate.hac_rates(c, r, n, 0.2 * c.length**0.5)[:, 1],
        8,
        FOUND,
        _NO_EFFECT,
    ),
    Measure(
        "power: sinusoid of ⅓ deviation", partial(simulate.periodicity_rates, amplitude=1 / 3), 8, FOUND, _NO_EFFECT
    ),
    Measure("power: learning falls to a twentieth", partial(runs.evenness_rates, fall=3.0), 2, FOUND, part=0),
    Measure("power: lag of 9 within 1", simulate.lag_found, 1, FOUND, tuple(_LONG)),
    Measure("power: 20 % shared moments", simulate.planted_peaks, 1, FOUND, tuple(_LONG)),
    Measure("power: 20 %, local", partial(simulate.planted_peaks, local=True), 1, FOUND, tuple(_LONG)),
    Measure("power: 20 %, in pairs, residual", simulate.planted_pairs, 1, FOUND, tuple(_LONG)),
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
    parser.add_argument("--repeats", type=int, default=100, help="simulations of a row, times the row's weight")
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
    for measure in MEASURES:
        if measure.why and any(result.name == measure.name for result in found):
            print(f"{measure.name}: a range from 0, since this is {measure.why}")
    print(f"{len(found) - len(failed)} of {len(found)} rows pass")
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(result) for result in found], indent=2, ensure_ascii=False) + "\n")
    return int(bool(failed) or not found)


if __name__ == "__main__":
    sys.exit(main())
