"""How small a weight trajectory becomes, and how fast, beside what one would use instead.

Five trainings are recorded through the Recorder, every iteration, with both presets; the size is that of the whole run
folder, keyframes, manifest and buffers of batch norm included. The others code the parameters alone. Bits are per
parameter and recorded point. Speeds are megabytes of raw float32 per second of processor time, on one thread, medians
of rounds in which all codecs take turns; those of the presets include checksums, files, and the assembly of tensors.
Everything is decoded and compared with what was in memory.

    python benchmarks/codec.py                # about three minutes; exit code 1 when a target is missed
    python benchmarks/codec.py --quick        # a smoke test: one short training, no target is judged
    python benchmarks/codec.py --only late    # one trajectory
    python benchmarks/codec.py --json FILE    # the figures as JSON too
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import torch

sys.path.insert(0, str(Path(__file__).parent))

from codec_rivals import DifferencePcodec, DifferenceZstd, WeightsFile
from codec_targets import Verdict, judge
from codec_trajectories import Recorded, Trajectory, Weights, five, record

from lca_analysis.trajectory import PRESETS, RunWriter, open_run

ROUNDS = 3


@dataclass(frozen=True)
class Score:
    """Bits per parameter and point, and megabytes of raw float32 per second."""

    bits: float
    encode: float
    decode: float


def folder_bytes(path: Path) -> int:
    """Count every byte of every file of a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


class Preset:
    """The package's own writer and reader, with one of its presets, on a recorded trajectory."""

    def __init__(self, preset: str, recorded: Recorded, scratch: Path) -> None:
        self._recorded = recorded.folders[preset]
        manifest = open_run(self._recorded).manifest
        self._manifest = msgspec.structs.replace(manifest, recording=replace_preset(manifest.recording, preset))
        self._scratch = scratch

    def encode(self, points: Sequence[Weights]) -> int:
        """Write the points to a run of its own; gives the bytes of the folder that the Recorder wrote."""
        writer = RunWriter.create(self._scratch, self._manifest, overwrite=True)
        for iteration, weights in enumerate(points):
            writer.append(iteration, weights)
        writer.close()
        return folder_bytes(self._recorded)

    def decode(self) -> Iterator[Weights]:
        """Read the Recorder's run."""
        return (point.weights for point in open_run(self._recorded).walk())


def replace_preset(recording: Any, preset: str) -> Any:
    """Write without windows: the points are numbered from 0."""
    return msgspec.structs.replace(recording, preset=preset, windows=[])


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Measure processor time; gives it and the outcome."""
    begun = time.process_time()
    outcome = work()
    return time.process_time() - begun, outcome


def round_of(codec: Any, points: Sequence[Any], raw: float, numbers: int) -> Score:
    """Code and decode a trajectory once, and check that every bit came back."""
    encoding, size = seconds(lambda: codec.encode(points))
    decoding, decoded = seconds(codec.decode)
    for point in points:
        taken, found = seconds(lambda: next(decoded))
        decoding += taken
        check(found, point)
    if next(decoded, None) is not None:
        raise SystemExit("a codec gave back more than it was given")
    return Score(8 * size / numbers, raw / encoding, raw / decoding)


def check(found: Any, point: Any) -> None:
    """Raise unless every bit came back."""
    pairs = [(found[name], point[name]) for name in point] if isinstance(point, dict) else [(found, point)]
    if any(left.dtype != right.dtype or left.tobytes() != right.tobytes() for left, right in pairs):
        raise SystemExit("a codec did not give back what it was given")


def measure(recorded: Recorded, folder: Path, rounds: int) -> dict[str, Score]:
    """Measure every codec on one trajectory, by turns."""
    raw, numbers = sum(point.nbytes for point in recorded.flat) / 1e6, sum(point.size for point in recorded.flat)
    rivals = {codec.name: codec for codec in (DifferenceZstd(), DifferencePcodec())}
    presets = {preset: Preset(preset, recorded, folder / f"again-{preset}") for preset in PRESETS}
    file = WeightsFile(folder / "weights.h5")
    scores = {file.name: [round_of(file, recorded.flat, raw, numbers)]}
    for _ in range(rounds):
        for name, codec in (rivals | presets).items():
            points = recorded.points if name in presets else recorded.flat
            scores.setdefault(name, []).append(round_of(codec, points, raw, numbers))
    return {name: median(found) for name, found in scores.items()}


def median(scores: list[Score]) -> Score:
    """Take the median of each figure."""
    return Score(*(statistics.median(getattr(score, key) for score in scores) for key in ("bits", "encode", "decode")))


def show(trajectory: Trajectory, recorded: Recorded, scores: dict[str, Score]) -> None:
    """Print a table; speeds also as ratios to those of zstd."""
    print(f"\n{trajectory.name}: {len(recorded.flat)} points of {recorded.flat[0].size} parameters")
    print(f"{'':40} {'bits':>6} {'of zstd':>8} {'encode MB/s':>14} {'decode MB/s':>15}")
    base = scores[DifferenceZstd.name]
    for name, score in scores.items():
        shown = f"preset {name!r}" if name in PRESETS else name
        encode = f"{score.encode:7.0f} ({score.encode / base.encode:4.2f})"
        decode = f"{score.decode:8.0f} ({score.decode / base.decode:4.2f})"
        print(f"{shown:40} {score.bits:6.2f} {score.bits / base.bits:8.1%} {encode} {decode}", flush=True)


def run(trajectories: list[Trajectory], rounds: int) -> dict[str, dict[str, Score]]:
    """Record and measure one trajectory after the other."""
    found = {}
    for trajectory in trajectories:
        with tempfile.TemporaryDirectory() as folder:
            recorded = record(trajectory, Path(folder))
            found[trajectory.name] = measure(recorded, Path(folder), rounds)
            show(trajectory, recorded, found[trajectory.name])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="How small and how fast the codec is.")
    parser.add_argument("--quick", action="store_true", help="one short training; no target is judged")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--only", metavar="WORD", nargs="+", default=[""], help="trajectories whose names have a word")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    trajectories = [one for one in five() if any(word in one.name for word in arguments.only)]
    if arguments.quick:
        trajectories = [replace(trajectories[0], settings=replace(trajectories[0].settings, iterations=40))]
    found = run(trajectories, 1 if arguments.quick else ROUNDS)
    verdicts: list[Verdict] = [] if arguments.quick else judge(trajectories, found)
    print()
    for verdict in verdicts:
        print(verdict)
    if arguments.json:
        figures = {name: {codec: asdict(score) for codec, score in scores.items()} for name, scores in found.items()}
        targets = [asdict(verdict) | {"passed": verdict.passed} for verdict in verdicts]
        arguments.json.write_text(json.dumps({"figures": figures, "targets": targets}, indent=2) + "\n")
    return 0 if all(verdict.passed for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
