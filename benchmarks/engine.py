"""What a gradient costs in the engine, against the least that PyTorch takes for it.

The bare loop loads weights into the model and takes loss and gradient over the split, in chunks of the size that is
best for it. The engine reads the run, integrates, reduces to every table and writes the store. Both have one thread;
times are processor time, medians of alternating repetitions.

    python benchmarks/engine.py            # the 4,000 images of mnist_fc and mnist_lenet
    python benchmarks/engine.py --quick    # fewer images and repetitions
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import lca_analysis as lca
from lca_analysis.allocation.evaluator import SplitLoss
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.problems import Problem, TrainingSettings

CHUNKS = (125, 250, 500, 1000, 2000, 4000)


def bare_gradient(problem: Problem, weights: dict[str, torch.Tensor], chunk: int) -> None:
    """Load weights; take loss and gradient over the split."""
    model, (inputs, targets) = problem.model, problem.split("train")
    model.load_state_dict(weights)
    model.zero_grad(set_to_none=False)
    for n in range(0, len(inputs), chunk):
        (problem.loss(model(inputs[n : n + chunk]), targets[n : n + chunk]).sum() / len(inputs)).backward()


def seconds(work: Callable[[], object]) -> float:
    """Measure processor time."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def measure(name: str, folder: Path, images: int | None, steps: int, repetitions: int) -> dict[str, float]:
    """Compare both on one problem."""
    problem = lca.build_problem(name, train=images, validation=10)
    rate = 0.1 if name == "mnist_fc" else 0.05
    run = lca.train(problem, folder / "run", TrainingSettings(iterations=steps, learning_rate=rate), progress=False)
    problem.model.eval()
    weights = {key: torch.from_numpy(value) for key, value in run.weights(int(run.iterations[-1])).items()}
    flat_model = FlatModel(problem, run, "name")
    split_loss = SplitLoss(problem, "train", flat_model)
    flat = flat_model.flatten(run.weights(int(run.iterations[-1])))
    chunks = [chunk for chunk in CHUNKS if chunk <= len(problem.split("train")[0])]
    loops = {chunk: [seconds(lambda c=chunk: bare_gradient(problem, weights, c))] for chunk in chunks for _ in range(2)}
    best = min(loops, key=lambda chunk: loops[chunk][-1])
    bare, evaluator, whole, evaluations = [], [], [], 0
    for repetition in range(repetitions):
        bare += [seconds(lambda: bare_gradient(problem, weights, best)) for _ in range(5)]
        evaluator += [seconds(lambda: split_loss.gradient(flat)) for _ in range(5)]
        store = folder / f"store{repetition}"
        taken = seconds(lambda s=store: lca.compute(run.path, s, problem, "train", progress=False))
        evaluations = lca.open_store(store).table("iterations")["gradient_evaluations"].sum()
        whole.append(taken / evaluations)
    result = {"bare": statistics.median(bare), "evaluator": statistics.median(evaluator)}
    result |= {"engine": statistics.median(whole), "chunk": best, "evaluations": evaluations / steps}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="What a gradient costs in the engine.")
    parser.add_argument("--quick", action="store_true", help="fewer images and repetitions")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    print("problem      images  bare ms (chunk)  evaluator ms (ratio)  engine ms (ratio)  gradients/iteration")
    for name, images, steps in (("mnist_fc", None, 100), ("mnist_lenet", 1000, 15)):
        images, steps, repetitions = (500, 10, 2) if quick else (images, steps, 3)
        with tempfile.TemporaryDirectory() as folder:
            found = measure(name, Path(folder), images, steps, repetitions)
        count = images or len(lca.build_problem(name).split("train")[0])
        bare, evaluator, engine = (1e3 * found[key] for key in ("bare", "evaluator", "engine"))
        print(
            f"{name:12} {count:6} {bare:9.1f} ({found['chunk']:4.0f})   {evaluator:9.1f} ({evaluator / bare:5.2f})  "
            f"    {engine:9.1f} ({engine / bare:5.2f})   {found['evaluations']:8.2f}"
        )


if __name__ == "__main__":
    main()
