"""What the path rules cost, and how exact they are, on recorded trainings with their rough start.

Each problem is trained on 4,000 images and recorded, and its LCA computed by the four modes at a tolerance of 0.001
(and adaptive and paper at 0.0001), over the first 1,000 images (mnist_fc) or 500 (mnist_lenet, and ResNet-20 with batch
norm in batch mode on images in three equal channels, halved to 14×14). The reference takes 33 gradients a step in
float64, with plain PyTorch. Evaluations are gradients over a whole split per iteration. Errors of run totals are shares
of Σ_t |LCA| of the layer, of the worst layer; "sum off" is how far all LCA together is from the run's loss change;
"covered" is the share of iterations and layers whose error estimate is at least the true error. Last, the least error
of run totals that pieces chosen with the truth known have, at so many gradients (quadrature_oracle.py).

    python benchmarks/quadrature.py                       # two hours the first time; exit code 1: a target is missed
    python benchmarks/quadrature.py --problem mnist_fc    # one problem
    python benchmarks/quadrature.py --cache FOLDER        # go on from what is there, and keep everything there
    python benchmarks/quadrature.py --float32             # take references in float32, in half the time
    python benchmarks/quadrature.py --quick               # a smoke test: few steps, no target is judged
    python benchmarks/quadrature.py --json FILE           # the figures as JSON too
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))

from codec_targets import Verdict
from quadrature_oracle import best_pieces, layer_of
from quadrature_reference import Reference, reference

import lca_analysis as lca
from lca_analysis.problems import Problem, TrainingSettings
from lca_analysis.problems.models import ResNet20, initialize
from lca_analysis.trajectory import Run

COMPUTATIONS = {
    "adaptive": {"rule": "adaptive"},
    "strict": {"rule": "strict"},
    "fast": {"rule": "fast"},
    "paper": {"rule": "paper"},
    "adaptive 1e-4": {"rule": "adaptive", "tolerance": 1e-4},
    "paper 1e-4": {"rule": "paper", "tolerance": 1e-4},
}
SPLIT = "some"
START = 10
RANGE = 10  # steps that are computed again after an interruption
BUDGETS = (1, 2, 4)
LATE_EVALUATIONS, HELPING, RUN_TOTAL, COVERED = 1.6, 0.05, 0.005, 0.95


@dataclass(frozen=True)
class Case:
    """A training on 4,000 images, what its LCA is computed over, and the most evaluations per iteration of adaptive."""

    name: str
    images: int
    settings: TrainingSettings
    evaluations: float


CASES = (
    Case("mnist_fc", 1000, TrainingSettings(iterations=200, learning_rate=0.1, momentum=0.9), 1.2),
    Case("mnist_lenet", 500, TrainingSettings(iterations=60, learning_rate=0.05, momentum=0.9), 2.2),
    Case("ResNet-20", 500, TrainingSettings(iterations=30, learning_rate=0.1, momentum=0.9), 2.9),
)


@dataclass(frozen=True)
class Score:
    """Evaluations per iteration, whole run and after its start; largest |residual|; errors against the reference."""

    evaluations: float
    late: float
    residual: float
    missed: int
    helping: float
    run_total: float
    sum_off: float
    covered: float


def build(case: Case) -> Problem:
    """Build the problem, with a split "some" of the first images of the training split."""
    problem = lca.build_problem("mnist_fc" if case.name == "ResNet-20" else case.name)
    images, labels = problem.split("train")
    model, size = problem.model, problem.batch_size
    if case.name == "ResNet-20":
        images = nn.functional.avg_pool2d(images, 2).expand(-1, 3, -1, -1).contiguous()
        model, size = initialize(ResNet20(), case.settings.seed), 250
    splits = {"train": (images, labels), SPLIT: (images[: case.images], labels[: case.images])}
    return Problem(model, nn.CrossEntropyLoss(reduction="none"), splits, batch_size=size)


def prepare(case: Case, folder: Path, dtype: torch.dtype) -> tuple[Problem, Run, Reference]:
    """Train, and take the reference; or take both from the folder, as far as they are there."""
    problem, path = build(case), folder / "run"
    run = lca.open_run(path) if path.exists() else None
    if run is None or len(run.iterations) <= case.settings.iterations:
        run = lca.train(problem, path, case.settings, overwrite=True, progress=False)
    return problem, run, reference(run, problem, SPLIT, dtype, folder)


def measure(case: Case, folder: Path, dtype: torch.dtype) -> dict[str, Score]:
    """Compute with every rule, and compare with the reference; what the folder has already is not computed again."""
    problem, run, truth = prepare(case, folder, dtype)
    found = {}
    for name, options in COMPUTATIONS.items():
        path = folder / name.replace(" ", "-")
        lca.compute(run.path, path, problem, SPLIT, progress=False, range_length=RANGE, **options)
        store = lca.open_store(path)
        found[name] = score(store.table("iterations"), store.table("layers"), truth)
        show(name, found[name])
    for evaluations in BUDGETS:
        best = best_pieces(truth, evaluations * case.evaluations)
        print(f"best pieces    {best.evaluations:7.2f} {best.run_total:47.2%}", flush=True)
    return found


def score(iterations: pd.DataFrame, layers: pd.DataFrame, truth: Reference) -> Score:
    """Compare the tables with the reference."""
    wanted = pd.DataFrame(truth.lca, columns=truth.tensors).T.groupby(layer_of).sum().T
    by_layer = layers.groupby(["iteration", "layer"])[["lca", "error_estimate"]].sum().unstack()
    error = by_layer["lca"].to_numpy() - wanted[by_layer["lca"].columns].to_numpy()
    counts = layers.groupby("iteration")[["n_helping", "n_hurting"]].sum()
    helping = counts["n_helping"] / counts.sum(axis=1)
    used = iterations["gradient_evaluations"]
    return Score(
        float(used.mean()),
        float(used.iloc[START:].mean()),
        float(iterations["residual"].abs().max()),
        int((iterations["status"] != "ok").sum()),
        100 * abs(float(helping.mean() - truth.helping.mean())),
        float(np.max(np.abs(error.sum(0)) / wanted[by_layer["lca"].columns].abs().sum().to_numpy())),
        abs(float(iterations["residual"].sum() / iterations["loss_change"].sum())),
        float((np.abs(error) <= by_layer["error_estimate"].to_numpy()).mean()),
    )


def judge(case: Case, scores: dict[str, Score]) -> list[Verdict]:
    """Compare with the targets."""
    adaptive, paper, name = scores["adaptive"], scores["paper"], case.name
    fine, fine_paper = scores["adaptive 1e-4"], scores["paper 1e-4"]
    verdicts = [
        Verdict(f"{name}: adaptive, evaluations per iteration", adaptive.evaluations, case.evaluations, True),
        Verdict(f"{name}: adaptive, the same after {START} iterations", adaptive.late, LATE_EVALUATIONS, True),
        Verdict(f"{name}: adaptive, evaluations of paper's", adaptive.evaluations / paper.evaluations, 1.0, True),
        Verdict(f"{name}: the same at 1e-4", fine.evaluations / fine_paper.evaluations, 1.0, True),
        Verdict(f"{name}: adaptive, largest |residual|", adaptive.residual, 1e-3, True),
        Verdict(f"{name}: the same at 1e-4", fine.residual, 1e-4, True),
    ]
    for rule in ("adaptive", "strict"):
        found = scores[rule]
        verdicts += [
            Verdict(f"{name}: {rule}, percent helping off by, points", found.helping, HELPING, True),
            Verdict(f"{name}: {rule}, run total of the worst layer off by", found.run_total, RUN_TOTAL, True),
            Verdict(f"{name}: {rule}, iterations and layers covered", found.covered, COVERED, False),
        ]
    return verdicts


def show(name: str, found: Score) -> None:
    """Print one row."""
    print(
        f"{name:14} {found.evaluations:7.2f} {found.late:7.2f} {found.residual:11.1e} {found.missed:8} "
        f"{found.helping:12.4f} {found.run_total:12.2%} {found.sum_off:9.3%} {found.covered:9.1%}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="What the path rules cost, and how exact they are.")
    parser.add_argument("--quick", action="store_true", help="few steps; no target is judged")
    parser.add_argument("--problem", choices=[case.name for case in CASES], help="one problem only")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where all is kept, to go on from")
    parser.add_argument("--float32", action="store_true", help="take references in float32, in half the time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dtype = torch.float32 if arguments.float32 else torch.float64
    figures, verdicts = {}, []
    for case in CASES:
        if arguments.problem not in (None, case.name):
            continue
        if arguments.quick:
            case = replace(case, images=32, settings=replace(case.settings, iterations=3, batch_size=16))
        print(f"\n{case.name}: {case.settings.iterations} iterations, {case.images} images")
        print("rule           evals     late  |residual|   missed  helping off  totals off   sum off   covered")
        with tempfile.TemporaryDirectory() as folder:
            cache = Path(folder) if arguments.cache is None or arguments.quick else arguments.cache / case.name
            cache.mkdir(parents=True, exist_ok=True)
            scores = measure(case, cache, dtype)
        figures[case.name] = {name: asdict(found) for name, found in scores.items()}
        verdicts += [] if arguments.quick else judge(case, scores)
    print()
    for verdict in verdicts:
        print(verdict)
    if arguments.json:
        targets = [asdict(verdict) | {"passed": verdict.passed} for verdict in verdicts]
        arguments.json.write_text(json.dumps({"figures": figures, "targets": targets}, indent=2) + "\n")
    return 0 if all(verdict.passed for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
