"""What a bounded-error recording costs in bits and does to the statistics, measured through the engine.

One training is followed by two Recorders, a lossless one and one with an error fraction of 1/16. The engine computes
the LCA of both runs, on the same images. Bits are per parameter and recorded point, the whole run folder counted.

    python benchmarks/bounded.py                # mnist_fc: 300 iterations, 4,000 images; mnist_lenet: 100 on 500
    python benchmarks/bounded.py --quick        # a smoke test: fewer iterations and images, no target is judged
    python benchmarks/bounded.py --json FILE    # the figures as JSON too; exit code 1 when a target is missed
"""

import argparse
import contextlib
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parent))

from codec import folder_bytes
from codec_targets import Verdict

import lca_analysis as lca
from lca_analysis.problems import TrainingSettings
from lca_analysis.problems.loop import TrainingLoop
from lca_analysis.recording import RecorderOptions

FRACTION = 1 / 16
BITS, MEAN_SHIFT, WORST_SHIFT, LAYER_TOTALS = 4.8, 0.02, 0.2, 0.1
PROBLEMS = (("mnist_fc", 300, 4000), ("mnist_lenet", 100, 500))
QUICK = (("mnist_fc", 12, 200),)


@dataclass(frozen=True)
class Found:
    """Bits of both runs; percentage points that percent helping moves by; percent that a layer's total moves by."""

    problem: str
    iterations: int
    images: int
    lossless_bits: float
    bits: float
    mean_shift: float
    worst_shift: float
    layer_totals: float


def record(name: str, iterations: int, folder: Path) -> dict[str, Path]:
    """Train on all images once, with a Recorder of each kind attached; gives the run folders."""
    settings = TrainingSettings(iterations=iterations, learning_rate=0.05, momentum=0.9)
    problem = lca.build_problem(name)
    loop = TrainingLoop(problem, settings)
    folders = {"lossless": folder / "lossless", "bounded": folder / "bounded"}
    with contextlib.ExitStack() as stack:
        for kind, fraction in (("lossless", 0.0), ("bounded", FRACTION)):
            options = RecorderOptions(on_error="raise")
            stack.enter_context(
                lca.Recorder(folders[kind], problem.model, loop.optimizer, error_fraction=fraction, options=options)
            )
        torch.manual_seed(settings.seed)
        for _ in loop.steps():
            pass
    return folders


def layers(run: Path, name: str, images: int, folder: Path) -> pd.DataFrame:
    """Compute a run through the engine; gives the table of layers."""
    problem = lca.build_problem(name, train=images, validation=10)
    lca.compute(run, folder / f"store-{run.name}", problem, "train", workers=2, progress=False)
    return lca.open_store(folder / f"store-{run.name}").table("layers")


def percent_helping(table: pd.DataFrame) -> pd.Series:
    """Percent of the parameters with an LCA that help, by iteration."""
    counts = table.groupby("iteration")[["n_helping", "n_hurting"]].sum()
    return 100 * counts["n_helping"] / counts.sum(axis=1)


def compare(lossless: pd.DataFrame, bounded: pd.DataFrame) -> tuple[float, float, float]:
    """Shift of percent helping in the mean and in the worst iteration, in points; of the worst layer's total, in %."""
    shift = percent_helping(bounded) - percent_helping(lossless)
    exact, rounded = (table.groupby("layer")["lca"].sum() for table in (lossless, bounded))
    return abs(shift.mean()), shift.abs().max(), 100 * ((rounded - exact) / exact).abs().max()


def measure(name: str, iterations: int, images: int) -> Found:
    """Record, compute and compare one problem."""
    with tempfile.TemporaryDirectory() as folder:
        runs = record(name, iterations, Path(folder))
        tables = {kind: layers(path, name, images, Path(folder)) for kind, path in runs.items()}
        parameters = sum(tensor.size for tensor in lca.open_run(runs["lossless"]).parameters)
        bits = {kind: 8 * folder_bytes(path) / parameters / (iterations + 1) for kind, path in runs.items()}
    shifts = compare(tables["lossless"], tables["bounded"])
    return Found(name, iterations, images, bits["lossless"], bits["bounded"], *map(float, shifts))


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
    found, verdicts = [], []
    for problem in QUICK if arguments.quick else PROBLEMS:
        if arguments.only not in (None, problem[0]):
            continue
        found.append(measure(*problem))
        print(f"{found[-1]}", flush=True)
        verdicts += [] if arguments.quick else judge(found[-1])
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
