"""Streaming against storing: the engine beside a pipeline that dumps every gradient and reads it back.

The pipeline is that of the first LCA study (Lan et al. 2019), written anew: float64 weights in an HDF5 file with gzip;
Simpson's rule, halving every piece until the residual is at most 0.001, end points shared; the gradients of all nodes
summed in float64 and dumped to another such file; a second pass that reads both, allocates and reduces to sums and
counts by layer. It takes a gradient in one chunk of up to 11,000 images, as the study did; a second row gives it the
chunks that are best for it. The engine reads the run, and writes all its tables. Both have the whole machine, each in
its own way: the pipeline one process with a thread per core (or as many as --threads says), the engine a worker per
core. Seconds are those of the clock, from the weights on the disk to the sums, files and all.

    python benchmarks/gradient_dumps.py            # mnist_fc on 4,000 images, mnist_lenet on 1,000
    python benchmarks/gradient_dumps.py --problem mnist_fc
    python benchmarks/gradient_dumps.py --quick    # fewer images and steps
"""

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils import parameters_to_vector, vector_to_parameters

import lca_analysis as lca
from lca_analysis.problems import Problem, TrainingSettings
from lca_analysis.trajectory import Run

TOLERANCE, MAX_PIECES = 1e-3, 32
WANTED = 4.0  # times faster
CHUNKS = (125, 250, 500, 1000, 2000, 4000)
Row = dict[str, tuple[float, int, int]]  # by tensor: sum, count of helping and of hurting parameters
STUDY_CHUNK = 11_000
RANGE = 32  # at most so many steps of a range: short runs too give every core one
GZIP = {"compression": "gzip", "compression_opts": 4}


def export_weights(run: Run, path: Path) -> None:
    """Write the weights as one float64 matrix; not timed."""
    names = [tensor.name for tensor in run.parameters]
    rows = [np.concatenate([point.weights[name].ravel() for name in names]) for point in run.walk()]
    with h5py.File(path, "w") as file:
        matrix = np.asarray(rows, np.float64)
        file.create_dataset("all_weights", data=matrix, chunks=(1, matrix.shape[1]), **GZIP)


class PlainGradient:
    """Loss and gradient over the split, as a plain loop takes them."""

    def __init__(self, problem: Problem, chunk: int | None) -> None:
        self._problem = problem
        self.chunk = chunk or min(CHUNKS, key=self._seconds)
        self.evaluations = 0

    def __call__(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Take both at a point."""
        self.evaluations += 1
        return self._take(weights, self.chunk)

    def _take(self, weights: NDArray[np.float64], chunk: int) -> tuple[float, NDArray[np.float64]]:
        model, (inputs, targets) = self._problem.model, self._problem.split("train")
        vector_to_parameters(torch.from_numpy(weights.astype(np.float32)), model.parameters())
        model.zero_grad()
        total = 0.0
        for n in range(0, len(inputs), chunk):
            loss = self._problem.loss(model(inputs[n : n + chunk]), targets[n : n + chunk]).sum() / len(inputs)
            loss.backward()
            total += float(loss.detach())
        return total, parameters_to_vector([p.grad for p in model.parameters()]).double().numpy()

    def _seconds(self, chunk: int) -> float:
        weights = parameters_to_vector(self._problem.model.parameters()).detach().double().numpy()
        self._take(weights, chunk)
        begun = time.perf_counter()
        self._take(weights, chunk)
        return time.perf_counter() - begun


def simpson(pieces: int) -> dict[float, float]:
    """Nodes and weights of Simpson's rule on equal pieces."""
    nodes: dict[float, float] = {}
    for piece, (half, weight) in itertools.product(range(pieces), ((0, 1), (1, 4), (2, 1))):
        place = (2 * piece + half) / (2 * pieces)
        nodes[place] = nodes.get(place, 0.0) + weight / 6 / pieces
    return nodes


def refined(
    gradient: PlainGradient, before: NDArray[np.float64], after: NDArray[np.float64], start: tuple, end: tuple
) -> tuple[int, dict[float, NDArray[np.float64]]]:
    """Halve until the residual is small; gives the number of pieces and the gradients of their nodes."""
    taken, pieces = {0.0: start[1], 1.0: end[1]}, 1
    while True:
        for node in simpson(pieces):
            if node not in taken:
                taken[node] = gradient(before + node * (after - before))[1]
        mean = sum(weight * taken[node] for node, weight in simpson(pieces).items())
        residual = end[0] - start[0] - float(((after - before) * mean).sum())
        if abs(residual) <= TOLERANCE or 2 * pieces > MAX_PIECES:
            return pieces, taken
        pieces *= 2


def dump_gradients(gradient: PlainGradient, weights_path: Path, gradients_path: Path) -> None:
    """Write the gradients of every node of every step."""
    with h5py.File(weights_path) as weights, h5py.File(gradients_path, "w") as out:
        matrix = weights["all_weights"]
        before, start = matrix[0], gradient(matrix[0])
        for t in range(len(matrix) - 1):
            after = matrix[t + 1]
            end = gradient(after)
            pieces, taken = refined(gradient, before, after, start, end)
            group = out.create_group(f"{t:06d}")
            group.attrs["pieces"] = pieces
            for node in simpson(pieces):
                if node < 1.0 or t == len(matrix) - 2:  # an end is the next step's start
                    group.create_dataset(f"{node}", data=taken[node], **GZIP)
            before, start = after, end


def reduce_gradients(run: Run, weights_path: Path, gradients_path: Path) -> Iterator[Row]:
    """Read weights and gradients back; gives the sums by tensor of each step, and counts what helps."""
    sizes = {tensor.name: tensor.size for tensor in run.parameters}
    ends = np.cumsum(list(sizes.values()))
    with h5py.File(weights_path) as weights, h5py.File(gradients_path) as gradients:
        matrix, count = weights["all_weights"], len(gradients)
        for t in range(count):
            group = gradients[f"{t:06d}"]
            mean = np.zeros(matrix.shape[1], np.float64)
            for node, weight in simpson(int(group.attrs["pieces"])).items():
                source = gradients[f"{t + 1:06d}"]["0.0"] if node == 1.0 and t < count - 1 else group[f"{node}"]
                mean += weight * source[:]
            allocated = (matrix[t + 1] - matrix[t]) * mean
            parts = np.split(allocated, ends[:-1])
            sums = ((float(part.sum()), int((part < 0).sum()), int((part > 0).sum())) for part in parts)
            yield dict(zip(sizes, sums, strict=True))


def dumped(
    problem: Problem, run: Run, folder: Path, chunk: int | None, threads: int
) -> tuple[dict[str, float], list[Row]]:
    """Run the pipeline; gives what it cost by step, and its rows."""
    torch.set_num_threads(threads)
    gradient = PlainGradient(problem, chunk)
    steps, begun = len(run.iterations) - 1, time.perf_counter()
    dump_gradients(gradient, folder / "weights.h5", folder / "gradients.h5")
    rows = list(reduce_gradients(run, folder / "weights.h5", folder / "gradients.h5"))
    taken = time.perf_counter() - begun
    size = (folder / "gradients.h5").stat().st_size / 1e6
    found = {"ms": 1e3 * taken / steps, "gradients": gradient.evaluations / steps, "megabytes": size}
    return found | {"chunk": gradient.chunk}, rows


def measure(name: str, folder: Path, images: int | None, steps: int, threads: int) -> dict[str, object]:
    """Run all on one problem, the pipeline with so many threads."""
    problem = lca.build_problem(name, train=images, validation=10)
    rate = 0.1 if name == "mnist_fc" else 0.05
    run = lca.train(problem, folder / "run", TrainingSettings(iterations=steps, learning_rate=rate), progress=False)
    export_weights(run, folder / "weights.h5")
    problem.model.eval()
    study, rows = dumped(problem, run, folder, STUDY_CHUNK, threads)
    best, _ = dumped(problem, run, folder, None, threads)
    length = min(RANGE, -(-steps // (os.cpu_count() or 1)))
    begun = time.perf_counter()
    lca.compute(run.path, folder / "store", problem, "train", workers=0, range_length=length, progress=False)
    streamed = 1e3 * (time.perf_counter() - begun) / steps
    store = lca.open_store(folder / "store")
    layers = store.table("layers").pivot(index="iteration", columns="tensor", values="lca")
    theirs = np.array([[row[tensor][0] for tensor in layers.columns] for row in rows])
    used = float(store.table("iterations")["gradient_evaluations"].sum()) / steps
    return {
        "problem": name,
        "images": len(problem.split("train")[0]),
        "threads": threads,
        "dumping": study | {"times": study["ms"] / streamed},
        "dumping_best_chunks": best | {"times": best["ms"] / streamed},
        "streaming": {"ms": streamed, "gradients": used},
        # Both allocate the same loss change: by tensor, over the run, relative to what it moves.
        "difference": float(np.max(np.abs((theirs - layers.to_numpy()).sum(0)) / np.abs(theirs).sum(0))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Streaming against dumping every gradient.")
    parser.add_argument("--quick", action="store_true", help="fewer images and steps")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--problem", choices=["mnist_fc", "mnist_lenet"], help="only this one")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the pipeline; by default one per core")
    parser.add_argument("--steps", type=int, help="as many steps, rather than 512 of mnist_fc and 64 of mnist_lenet")
    arguments = parser.parse_args()
    found = []
    for name, images, steps in (("mnist_fc", None, 512), ("mnist_lenet", 1000, 64)):
        if arguments.problem not in (None, name):
            continue
        images, steps = (500, 10) if arguments.quick else (images, arguments.steps or steps)
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(name, Path(folder), images, steps, arguments.threads))
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    print("problem      images  way                      ms/step  gradients/step     MB   streaming is faster")
    for row in found:
        ways = {"dumping": "dumping", "dumping_best_chunks": "dumping, best chunks", "streaming": "streaming"}
        for key, shown in ways.items():
            way = row[key]
            line = f"{row['problem']:12} {row['images']:6}  {shown:22} {way['ms']:9.1f} {way['gradients']:15.2f}"
            if "times" in way:
                line += f" {way['megabytes']:6.0f}  {way['times']:6.1f} times (chunks of {way['chunk']})"
            if key == "dumping":
                line += f"  {'PASS' if way['times'] >= WANTED else 'FAIL'} (wanted: {WANTED:.0f})"
            print(line)
        print(f"{'':21} threads of the pipeline: {row['threads']}, of the engine: {os.cpu_count()} workers of 1")
        print(f"{'':21} layer totals of the two differ by {row['difference']:.1e} of what the layer moves")


if __name__ == "__main__":
    main()
