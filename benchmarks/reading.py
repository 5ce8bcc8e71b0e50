"""What reading a run takes in memory, in multiples of the K floats of the model, whatever the run's length.

Peaks of what Python and numpy allocate (tracemalloc), with the arrays that are handed out; pcodec's own buffers, of one
stream, are not seen, and resident memory is printed for the whole process beside it.

    python benchmarks/reading.py            # a model of 2 million parameters, 20 and 100 iterations
    python benchmarks/reading.py --quick
"""

import argparse
import resource
import tempfile
import tracemalloc
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lca_analysis.trajectory import Manifest, RecordingPolicy, Run, RunWriter, TensorInfo, open_run


def make_run(path: Path, size: int, iterations: int) -> Run:
    """Record a model of two equal layers of random walks."""
    shape = (2, size // 4)
    tensors = [TensorInfo(f"{n}.weight", shape, "float32", n, "weight", "Linear", "parameter", True) for n in "ab"]
    policy = RecordingPolicy(preset="fast", segment_length=25)
    writer = RunWriter.create(path, Manifest(run_id="0" * 32, name="", created="", tensors=tensors, recording=policy))
    rng = np.random.default_rng(0)
    weights = {tensor.name: rng.normal(0, 0.1, shape).astype(np.float32) for tensor in tensors}
    for iteration in range(iterations + 1):
        writer.append(iteration, weights)
        for array in weights.values():
            array += 1e-4 * rng.normal(0, 1, shape).astype(np.float32)
    writer.close()
    return open_run(path)


def uses(run: Run) -> dict[str, Callable[[], object]]:
    """Give the ways to read, each through the whole run or to its last point."""
    last = int(run.iterations[-1])
    return {
        "weights(t)": lambda: run.weights(last),
        "weights(t), one layer": lambda: run.weights(last, ["a.weight"]),
        "walk": lambda: deque(run.walk(), maxlen=0),
        "walk, one layer": lambda: deque(run.walk(tensors=["a.weight"]), maxlen=0),
        "steps": lambda: deque(run.steps(), maxlen=0),
    }


def peak(work: Callable[[], object]) -> int:
    """Measure the most bytes that are allocated at a time beyond those before."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description="What reading a run takes in memory.")
    parser.add_argument("--quick", action="store_true", help="a smaller model")
    quick = parser.parse_args().quick
    size = 2**19 if quick else 2**21
    with tempfile.TemporaryDirectory() as folder:
        runs = {length: make_run(Path(folder) / f"{length}", size, length) for length in (20, 100)}
        print(f"{size:,} parameters; peak in units of K float32 = {4 * size / 2**20:.1f} MiB")
        print(f"{'':24}" + "".join(f"{length:>6} iterations" for length in runs))
        for name in uses(runs[20]):
            peaks = [peak(uses(run)[name]) / (4 * size) for run in runs.values()]
            print(f"{name:24}" + "".join(f"{value:17.2f}" for value in peaks))
        opening = [peak(lambda run=run: open_run(run.path)) / (len(run.iterations)) for run in runs.values()]
        print(f"{'opening, bytes a point':24}" + "".join(f"{value:17.0f}" for value in opening))
    print(f"resident at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB")


if __name__ == "__main__":
    main()
