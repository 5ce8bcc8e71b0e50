"""What bounded-error recordings cost in bits and do to the statistics, measured through the engine.

One training is followed by a lossless Recorder and one for each error fraction; the engine computes the LCA of all
their runs, on the same images. Bits are per parameter and recorded point, the whole run folder counted. What a
recording with 1/16 may do is judged.

    python benchmarks/bounded.py                # mnist_fc: 300 iterations, 4,000 images; mnist_lenet: 100 on 500
    python benchmarks/bounded.py --quick        # a smoke test: fewer iterations and images, no target is judged
    python benchmarks/bounded.py --json FILE    # the figures as JSON too; exit code 1 when a target is missed
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parent))

from codec import folder_bytes
from codec_targets import Verdict

import lca_analysis as lca
from lca_analysis.problems import TrainingSettings
from lca_analysis.problems.loop import TrainingLoop
from lca_analysis.recording import RecorderOptions

JUDGED = 1 / 16
BITS, MEAN_SHIFT, WORST_SHIFT, LAYER_TOTALS = 4.8, 0.02, 0.2, 0.1
FRACTIONS = (1 / 64, JUDGED, 1 / 8, 1 / 4, 1 / 2, 1.0)
SHORT = 20  # iterations of a stretch


class Problem(NamedTuple):
    """A training to record, and the images that its LCA is computed on."""

    name: str
    iterations: int
    images: int
    fractions: tuple[float, ...]


PROBLEMS = (Problem("mnist_fc", 300, 4000, FRACTIONS), Problem("mnist_lenet", 100, 500, (JUDGED,)))
QUICK = (Problem("mnist_fc", 24, 200, (JUDGED,)),)


@dataclass(frozen=True)
class Found:
    """What a recording costs and does.

    Bits; percentage points that percent helping moves by in the mean, on average and at worst; and in percent what the
    worst layer's total over the run moves by, and the totals of all tensors together, over the run and over the worst
    stretch.
    """

    problem: str
    fraction: float
    bits: float
    lossless_bits: float
    mean_shift: float
    average_shift: float
    worst_shift: float
    layer_totals: float
    totals: float
    short_totals: float

    def __str__(self) -> str:
        """Give a line of the table."""
        return (
            f"{self.problem:12} 1/{1 / self.fraction:<4.0f} {self.bits:5.2f} ({self.lossless_bits:5.2f})"
            f" {self.mean_shift:8.4f} {self.average_shift:8.4f} {self.worst_shift:7.3f}"
            f" {self.layer_totals:9.4f} {self.totals:8.4f} {self.short_totals:7.3f}"
        )


HEAD = f"{'':12} {'error':6} {'bits (lossless)':>13} {'points: mean, average, worst':>25} {'%: layer, all, short':>26}"


def record(problem: Problem, folder: Path) -> dict[float, Path]:
    """Train on all images once, with all Recorders attached; gives the run folders by error fraction."""
    settings = TrainingSettings(iterations=problem.iterations, learning_rate=0.05, momentum=0.9)
    built = lca.build_problem(problem.name)
    loop = TrainingLoop(built, settings)
    folders = {fraction: folder / f"{fraction}" for fraction in (0.0, *problem.fractions)}
    options = RecorderOptions(on_error="raise")
    with contextlib.ExitStack() as stack:
        for fraction, path in folders.items():
            stack.enter_context(
                lca.Recorder(path, built.model, loop.optimizer, error_fraction=fraction, options=options)
            )
        torch.manual_seed(settings.seed)
        for _ in loop.steps():
            pass
    return folders


def layers(run: Path, problem: Problem, store: Path) -> pd.DataFrame:
    """Compute a run through the engine; gives the table of layers."""
    built = lca.build_problem(problem.name, train=problem.images, validation=10)
    lca.compute(run, store, built, "train", workers=2, progress=False)
    return lca.open_store(store).table("layers")


def percent_helping(table: pd.DataFrame) -> pd.Series:
    """Percent of the parameters with an LCA that help, by iteration."""
    counts = table.groupby("iteration")[["n_helping", "n_hurting"]].sum()
    return 100 * counts["n_helping"] / counts.sum(axis=1)


def off(found: np.ndarray, exact: np.ndarray) -> float:
    """Give in percent how far the tensors' totals over iterations are off, all together."""
    return float(100 * np.abs(found.sum(0) - exact.sum(0)).sum() / np.abs(exact.sum(0)).sum())


def compare(exact: pd.DataFrame, rounded: pd.DataFrame) -> tuple[float, ...]:
    """Give the shifts, as `Found` has them."""
    shift = percent_helping(rounded) - percent_helping(exact)
    whole, moved = (table.groupby("layer")["lca"].sum() for table in (exact, rounded))
    true, found = (t.pivot(index="iteration", columns="tensor", values="lca").to_numpy() for t in (exact, rounded))
    short = [off(found[n : n + SHORT], true[n : n + SHORT]) for n in range(0, len(true) - SHORT + 1, SHORT // 2)]
    worst = 100 * ((moved - whole) / whole).abs().max()
    return abs(shift.mean()), shift.abs().mean(), shift.abs().max(), worst, off(found, true), max(short)


def measure(problem: Problem) -> Iterator[Found]:
    """Record, compute and compare one problem."""
    with tempfile.TemporaryDirectory() as folder:
        runs = record(problem, Path(folder))
        parameters = sum(tensor.size for tensor in lca.open_run(runs[0.0]).parameters) * (problem.iterations + 1)
        bits = {fraction: 8 * folder_bytes(path) / parameters for fraction, path in runs.items()}
        exact = layers(runs[0.0], problem, Path(folder) / "store")
        for fraction in problem.fractions:
            rounded = layers(runs[fraction], problem, Path(folder) / f"store-{fraction}")
            shifts = map(float, compare(exact, rounded))
            yield Found(problem.name, fraction, bits[fraction], bits[0.0], *shifts)


def judge(found: Found) -> list[Verdict]:
    """Compare with the targets."""
    name = found.problem
    return [
        Verdict(f"{name}: bits per parameter", found.bits, BITS, True),
        Verdict(f"{name}: shift of percent helping in the mean, points", found.mean_shift, MEAN_SHIFT, True),
        Verdict(f"{name}: shift in the worst iteration, points", found.worst_shift, WORST_SHIFT, True),
        Verdict(f"{name}: shift of the worst layer's total, %", found.layer_totals, LAYER_TOTALS, True),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="What a bounded error costs and does.")
    parser.add_argument("--quick", action="store_true", help="a short training; no target is judged")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--only", metavar="PROBLEM", help="one problem")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: list[Found] = []
    print(HEAD)
    for problem in QUICK if arguments.quick else PROBLEMS:
        if arguments.only in (None, problem.name):
            for one in measure(problem):
                found.append(one)
                print(one, flush=True)
    verdicts = [verdict for one in found if one.fraction == JUDGED and not arguments.quick for verdict in judge(one)]
    for verdict in verdicts:
        print(verdict)
    if arguments.json:
        targets = [asdict(verdict) | {"passed": verdict.passed} for verdict in verdicts]
        arguments.json.write_text(
            json.dumps({"figures": list(map(asdict, found)), "targets": targets}, indent=2) + "\n"
        )
    return 0 if all(verdict.passed for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
