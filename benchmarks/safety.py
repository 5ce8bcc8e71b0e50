"""How a recording survives: killed at random moments and resumed, and with single bytes changed; prints counts.

Run with ``python benchmarks/safety.py [--kills 200] [--bytes 5000] [--presets small fast]``. Exits with 1 when anything
was lost or missed.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import LcaError
from lca_analysis.trajectory import Manifest, RecordingPolicy, RunWriter, TensorInfo, open_run, verify

SIZE, SEGMENT_LENGTH = 500, 8
Weights = dict[str, NDArray[np.float32]]


def weights(iteration: int) -> Weights:
    """The point that belongs to an iteration."""
    return {"a.weight": np.sin(np.arange(SIZE) * 0.01 + iteration * 0.001).astype(np.float32)}


def record(path: Path, preset: str) -> None:
    """Record without end, from where the run is; says on standard output what is committed."""
    if (path / "run.json").exists():
        writer = RunWriter.resume(path)
    else:
        tensors = [TensorInfo("a.weight", (SIZE,), "float32", "a", "weight", "Linear", "parameter", True)]
        policy = RecordingPolicy(preset=preset, segment_length=SEGMENT_LENGTH)
        manifest = Manifest(run_id=uuid.uuid4().hex, name="", created="", tensors=tensors, recording=policy)
        writer = RunWriter.create(path, manifest)
    iteration = -1 if writer.iteration is None else writer.iteration
    while True:
        iteration += 1
        writer.append(iteration, weights(iteration))
        sys.stdout.write(f"{iteration}\n")
        sys.stdout.flush()


def kill_and_check(path: Path, preset: str, delay: float) -> tuple[int, int, bool]:
    """Record, kill after `delay` seconds; points that were said to be committed, points found, and whether whole."""
    command = [sys.executable, __file__, "--record", str(path), "--presets", preset]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
        lines = (said + process.stdout.read()).split(b"\n")[:-1]
    found = list(open_run(path).walk())
    right = [point.iteration for point in found] == list(range(len(found)))
    right &= all(np.array_equal(point.weights["a.weight"], weights(t)["a.weight"]) for t, point in enumerate(found))
    return int(lines[-1]) + 1, len(found), right and verify(path, progress=False).ok


def kill(path: Path, preset: str, count: int, rng: np.random.Generator) -> int:
    """Kill recordings of one run, which each resumes; how many times something was lost."""
    lost = most = 0
    for _ in range(count):
        said, found, right = kill_and_check(path, preset, float(rng.uniform(0.0, 0.05)))
        lost += not (right and found in (said, said + 1))
        if found > 2000:
            RunWriter.resume(path, int(rng.integers(20))).close()
        most = max(most, found)
    print(
        f"{preset}: {count} kills, each resumed: {lost} with a point lost or wrong; up to {most} points in the run",
        flush=True,
    )
    return lost


def change_bytes(path: Path, count: int, rng: np.random.Generator) -> int:
    """Change single bytes of the segments; how many went by without being noticed and changed what is read."""
    RunWriter.resume(path, 19).close()
    files = sorted((path / "segments").iterdir())
    noticed = harmless = missed = 0
    for _ in range(count):
        file = files[int(rng.integers(len(files)))]
        data = file.read_bytes()
        changed = bytearray(data)
        changed[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
        file.write_bytes(changed)
        try:
            found = list(open_run(path).walk())
        except LcaError as error:
            told = file.name in str(error) and ("iteration" in str(error) or "keyframe" in str(error))
            noticed, missed = noticed + told, missed + (not told)
            if not told and "does not begin as a segment" in str(error):
                noticed, missed = noticed + 1, missed - 1  # the file's magic belongs to no iteration
        else:
            same = [np.array_equal(point.weights["a.weight"], weights(point.iteration)["a.weight"]) for point in found]
            harmless, missed = harmless + all(same), missed + (not all(same))
        file.write_bytes(data)
    print(
        f"{count} changed bytes: {noticed} named with file and place, {harmless} harmless, {missed} missed", flush=True
    )
    return missed


def main() -> int:
    """Run the checks; 1 when anything was lost or missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--bytes", type=int, default=5000)
    parser.add_argument("--presets", nargs="+", default=["small", "fast"])
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        record(options.record, options.presets[0])
    rng, folder = np.random.default_rng(0), Path(tempfile.mkdtemp())
    try:
        missed = 0
        for preset in options.presets:
            missed += kill(folder / preset, preset, options.kills, rng)
            missed += change_bytes(folder / preset, options.bytes, rng)
        return int(missed > 0)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
