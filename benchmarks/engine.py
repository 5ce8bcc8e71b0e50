"""What the engine costs beside its gradients: against the least that PyTorch takes for them.

The bare loop loads weights into the model and takes loss and gradient over the split, in chunks of the size that is
best for it. The engine reads the run, integrates with the default rule, reduces to every table and writes the store;
its time is divided by its gradient evaluations, and by that of bare loops right before and after it, since machines
change their speed by the second. "classes" is a gradient that tells classes apart, against one that does not; with
batch norm in batch mode, where chunks of one class would be another loss, it is one backward pass per class, and
"forward" is what forward mode would take for the derivative along one layer's step. "views" is the engine's time
against its time without update parts, series and units. One thread; processor time, medians of repetitions.

    python benchmarks/engine.py                       # ten minutes; exit code 1 when a target is missed
    python benchmarks/engine.py --problem mnist_fc    # one problem
    python benchmarks/engine.py --quick               # few steps; no target is judged
"""

import argparse
import copy
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))

from codec_targets import Verdict
from quadrature import CASES, SPLIT, Case, build

import lca_analysis as lca
from lca_analysis.allocation.evaluator import SplitLoss, one_thread
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.allocation.norms import uses_batch_statistics
from lca_analysis.allocation.part_rows import Update
from lca_analysis.allocation.rows import SeriesRows, UnitSums
from lca_analysis.allocation.updates import UpdateTracker
from lca_analysis.problems import Problem, TrainingSettings
from lca_analysis.trajectory import Run

CHUNKS = (125, 250, 500, 1000, 2000, 4000)
STEPS = {"mnist_fc": 192, "mnist_lenet": 48, "ResNet-20": 12}
ENGINE, CLASSES, VIEWS = 1.15, 1.2, 1.1
_VIEWS = (
    (UpdateTracker, "take"),
    (UpdateTracker, "follow"),
    (Update, "momentum"),
    (Update, "decay"),
    (Update, "parts"),
    (SeriesRows, "__call__"),
    (UnitSums, "add"),
    (UnitSums, "rows"),
)


class BareLoop:
    """Loading weights, and loss and gradient over the split, in plain PyTorch."""

    def __init__(self, problem: Problem, split: str, model: nn.Module, weights: dict[str, torch.Tensor]) -> None:
        self._model, self._loss, self._weights = copy.deepcopy(model), problem.loss, weights
        self._inputs, self._targets = problem.split(split)
        self.chunk = problem.batch_size

    def __call__(self) -> None:
        """Take one gradient."""
        self._model.load_state_dict(self._weights, strict=False)
        self._model.zero_grad(set_to_none=False)
        count = len(self._inputs)
        for n in range(0, count, self.chunk):
            inputs, targets = self._inputs[n : n + self.chunk], self._targets[n : n + self.chunk]
            (self._loss(self._model(inputs), targets).sum() / count).backward()

    def find_chunk(self) -> None:
        """Choose the fastest chunk; where batch statistics are a part of the loss, there is no choice."""
        if uses_batch_statistics(self._model):
            return
        times = {}
        for self.chunk in [chunk for chunk in CHUNKS if chunk <= len(self._inputs)]:
            times[self.chunk] = min(seconds(self) for _ in range(2))
        self.chunk = min(times, key=lambda chunk: times[chunk])


def seconds(work: Callable[[], object]) -> float:
    """Measure processor time."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


@contextmanager
def timed_views() -> Iterator[list[float]]:
    """Add up the processor time that update parts, series and units take, without the writing of their rows."""
    total, kept = [0.0], [(owner, name, getattr(owner, name)) for owner, name in _VIEWS]

    def timed(work: Callable[..., object]) -> Callable[..., object]:
        def inside(*arguments: object) -> object:
            begun = time.process_time()
            result = work(*arguments)
            total[0] += time.process_time() - begun
            return result

        return inside

    for owner, name, work in kept:
        setattr(owner, name, timed(work))
    try:
        yield total
    finally:
        for owner, name, work in kept:
            setattr(owner, name, work)


def gradients(problem: Problem, split: str, run: Run, repetitions: int) -> tuple[BareLoop, dict[str, float]]:
    """Time single gradients in alternation: bare, the evaluator's, by class, forward mode; gives the bare loop, too."""
    last = run.weights(int(run.iterations[-1]))
    flat_model = FlatModel(problem, run, "name")
    flat = flat_model.flatten(last)
    plain, by_class = (SplitLoss(problem, split, flat_model, classes) for classes in (False, True))
    direction = torch.zeros_like(flat)
    direction[flat_model.layout.places[-1].slice] = 1.0
    bare = BareLoop(problem, split, flat_model.module, {key: torch.from_numpy(value) for key, value in last.items()})
    bare.find_chunk()
    works = {
        "bare": bare,
        "evaluator": lambda: plain.gradient(flat),
        "classes": lambda: by_class.gradient(flat),
        "forward": lambda: plain.derivatives(flat, direction),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repetitions):
        for name, work in works.items():
            times[name].append(seconds(work))
    return bare, {name: statistics.median(found) for name, found in times.items()} | {"chunk": bare.chunk}


def measure(case: Case, folder: Path, steps: int, repetitions: int) -> dict[str, float]:
    """Record a training, time gradients and whole computations."""
    built, split = build(case), "train" if case.name == "mnist_fc" else SPLIT
    splits = {name: built.split(name) for name in ("train", SPLIT)}
    problem = Problem(built.model, built.loss, splits, built.batch_size, classes=10)
    settings = TrainingSettings(iterations=steps, learning_rate=case.settings.learning_rate)
    run = lca.train(problem, folder / "run", settings, progress=False)
    bare, found = gradients(problem, split, run, repetitions)
    around = statistics.median(seconds(bare) for _ in range(2 * repetitions))
    whole, views = [], []
    for repetition in range(4):
        store, before = folder / f"store{repetition}", around
        with timed_views() as total:
            taken = seconds(lambda s=store: lca.compute(run.path, s, problem, split, progress=False, workers=1))
        evaluations = lca.open_store(store).table("iterations")["gradient_evaluations"].sum()
        around = statistics.median(seconds(bare) for _ in range(2 * repetitions))
        whole.append(2 * taken / evaluations / (before + around))
        views.append(taken / (taken - total[0]))
    # The first computation of a process loads, or compiles, the inner loops.
    found |= {"engine": statistics.median(whole[1:]) * found["bare"], "views": statistics.median(views[1:])}
    return found | {"images": len(problem.split(split)[0])}


def judge(case: Case, found: dict[str, float]) -> list[Verdict]:
    """Compare with the targets."""
    verdicts = [
        Verdict(f"{case.name}: engine, times the bare loop", found["engine"] / found["bare"], ENGINE, True),
        Verdict(f"{case.name}: with parts, series and units, times without", found["views"], VIEWS, True),
    ]
    if case.name != "ResNet-20":
        verdicts.append(
            Verdict(f"{case.name}: by class, times plain", found["classes"] / found["evaluator"], CLASSES, True)
        )
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description="What the engine costs beside its gradients.")
    parser.add_argument("--quick", action="store_true", help="few steps; no target is judged")
    parser.add_argument("--problem", choices=[case.name for case in CASES], help="only this one")
    arguments = parser.parse_args()
    verdicts = []
    print("problem      images  bare ms (chunk)  evaluator  classes  forward  engine   views")
    for case in CASES:
        if arguments.problem not in (None, case.name):
            continue
        steps, repetitions = (4, 2) if arguments.quick else (STEPS[case.name], 7)
        with tempfile.TemporaryDirectory() as folder, one_thread():
            found = measure(case, Path(folder), steps, repetitions)
        bare = found["bare"]
        ratios = "  ".join(f"{found[name] / bare:7.2f}" for name in ("evaluator", "classes", "forward", "engine"))
        start = f"{case.name:12} {found['images']:6} {1e3 * bare:8.1f} ({found['chunk']:4})"
        print(f"{start}    {ratios}  {found['views']:6.3f}", flush=True)
        verdicts += judge(case, found)
    if not arguments.quick:
        print("\n".join(map(str, verdicts)))
        sys.exit(not all(verdict.passed for verdict in verdicts))


if __name__ == "__main__":
    main()
