"""Reading takes memory for the model, not for the run: the figure of `Run.walk`, with small blocks."""

import tracemalloc
from collections import deque

import msgspec
import numpy as np
import pytest
from trajectory.made_runs import manifest, tensor

from lca_analysis.trajectory import RecordingPolicy, RunWriter, blocks, open_run

BLOCK = 2**13
LAYER = 2 * BLOCK
BYTES = 4 * 2 * LAYER  # of the model in float32


@pytest.fixture(scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_SIZE", BLOCK)
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory, small_blocks):
    """A run of 50 steps and one of 500."""
    rng, made = np.random.default_rng(0), {}
    steps = rng.normal(0, 1e-4, (7, 2 * LAYER)).astype(np.float32)
    described = manifest([tensor("a.weight", (LAYER,)), tensor("b.weight", (LAYER,))])
    described = msgspec.structs.replace(described, recording=RecordingPolicy(preset="fast", segment_length=25))
    for length in (50, 500):
        path = tmp_path_factory.mktemp("memory") / "run"
        flat, writer = rng.normal(0, 0.1, 2 * LAYER).astype(np.float32), RunWriter.create(path, described)
        for t in range(length + 1):
            writer.append(t, {"a.weight": flat[:LAYER], "b.weight": flat[LAYER:]})
            flat = flat + steps[t % 7]
        writer.close()
        made[length] = open_run(path)
    return made


def peak(work):
    work()  # caches of modules are filled
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


READS = {
    "weights": (lambda run: run.weights(int(run.iterations[-2])), 6, 2),
    "weights of a layer": (lambda run: run.weights(int(run.iterations[-2]), ["b.weight"]), 6, 1),
    "walk": (lambda run: deque(run.walk(), maxlen=0), 6, 2),
    "walk without copies": (lambda run: deque(run.walk(copy=False), maxlen=0), 4, 2),
    "walk a layer": (lambda run: deque(run.walk(tensors=["a.weight"]), maxlen=0), 6, 1),
    "part of a walk": (lambda run: deque(run.walk(10, 45), maxlen=0), 6, 2),
    "steps": (lambda run: deque(run.steps(), maxlen=0), 7, 2),
}


@pytest.mark.parametrize("name", READS)
def test_memory_is_that_of_the_model_whatever_the_length(runs, name):
    read, floats, layers = READS[name]
    for _ in range(2):
        read(runs[500])  # fills the interpreter's free lists, which grow by 0.1 MB in 700 points, and then no more
    short, long = (peak(lambda run=run: read(run)) for run in runs.values())
    assert abs(long - short) < 0.1 * BYTES
    # The compressed frame of all blocks is read whole; 8 MiB are 8 blocks of float32.
    assert long < floats * 4 * layers * LAYER + BYTES // 2 + 8 * 4 * BLOCK


def test_an_open_run_takes_what_is_said_for_a_point(runs):
    short, long = (peak(lambda run=run: open_run(run.path)) for run in runs.values())
    assert (long - short) / 450 < 350


def test_steps_are_differences_although_they_take_the_memory_of_points(runs):
    run = runs[50]
    held = [step.steps for step in run.steps(3, 9)]
    for t, found in enumerate(held, 3):
        before, after = run.weights(t), run.weights(t + 1)
        assert all((found[name] == after[name] - before[name]).all() for name in found)
