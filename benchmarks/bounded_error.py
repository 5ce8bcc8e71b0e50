"""What a bounded-error recording does to the statistics, through the engine.

One training of mnist_fc is recorded to the bit; its points are recorded again with a bounded error, and LCA is computed
of each over the same images. Printed per error fraction: bits per parameter and point, how far percent helping of an
iteration is off (mean, mean of the absolute value, worst iteration; percentage points), and how far the tensors' totals
are off over the run and in the worst stretch of 20 iterations (sum of the absolute differences over the sum of absolute
totals).

    python benchmarks/bounded_error.py            # 230 iterations, 1,000 images
    python benchmarks/bounded_error.py --quick
"""

import argparse
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import torch

import lca_analysis as lca
from lca_analysis.problems import TrainingSettings
from lca_analysis.trajectory import RecordingPolicy, Run, RunWriter, describe

FRACTIONS = (1 / 64, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)


def record_again(run: Run, path: Path, fraction: float) -> Run:
    """Write the points of a run once more, with a bounded error."""
    policy = RecordingPolicy(1, "small", False, run.manifest.recording.segment_length, fraction)
    writer = RunWriter.create(path, msgspec.structs.replace(run.manifest, recording=policy))
    for point in run.walk():
        writer.append(point.iteration, point.weights, point.hyperparameters)
    writer.close()
    return lca.open_run(path)


def statistics(run: Run, store: Path, problem: lca.Problem) -> tuple[np.ndarray, np.ndarray]:
    """Compute: percent helping of each iteration, and LCA of each iteration and tensor."""
    lca.compute(run.path, store, problem, "train", rule="trapezoid", progress=False)
    layers = lca.open_store(store).table("layers")
    counts = layers.groupby("iteration")[["n_helping", "n_hurting"]].sum()
    helping = 100 * counts["n_helping"] / counts.sum(axis=1)
    return helping.to_numpy(), layers.pivot(index="iteration", columns="tensor", values="lca").to_numpy()


def off(found: np.ndarray, exact: np.ndarray) -> float:
    """How far totals over iterations are off, relative to all of them."""
    return float(np.abs(found.sum(0) - exact.sum(0)).sum() / np.abs(exact.sum(0)).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description="What a bounded-error recording does to the statistics.")
    parser.add_argument("--quick", action="store_true", help="fewer iterations and images")
    parser.add_argument("--problem", default="mnist_fc", help="A built-in problem.")
    given = parser.parse_args()
    quick, name = given.quick, given.problem
    torch.set_num_threads(1)
    iterations, images = (30, 500) if quick else (230, 1000)
    problem = lca.build_problem(name, train=images, validation=10)
    print("error fraction   bits   helping: mean  mean |.|  worst   totals off  in 20, worst   lossless helping")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        settings = TrainingSettings(iterations=iterations, learning_rate=0.05)
        exact = lca.train(problem, root / "exact", settings, progress=False)
        helping, totals = statistics(exact, root / "store", problem)
        print(f"lossless       {describe(exact)['bits_per_parameter_per_point']:6.2f} {helping.mean():63.2f}")
        for fraction in FRACTIONS:
            run = record_again(exact, root / f"run{fraction}", fraction)
            found, layers = statistics(run, root / f"store{fraction}", problem)
            shift = found - helping
            worst = max(off(layers[n : n + 20], totals[n : n + 20]) for n in range(0, iterations - 19, 10))
            bits = describe(run)["bits_per_parameter_per_point"]
            print(
                f"1/{1 / fraction:<12.0f} {bits:6.2f} {shift.mean():14.4f} {np.abs(shift).mean():9.4f} "
                f"{np.abs(shift).max():6.3f} {off(layers, totals):11.4%} {worst:12.4%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
