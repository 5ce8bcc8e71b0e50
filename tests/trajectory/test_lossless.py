"""What is read is what was written, to the bit, whatever was written."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trajectory.made_runs import manifest, random_walk, read_back, special_words, tensor, write

from lca_analysis.trajectory import open_run
from lca_analysis.trajectory.blocks import BLOCK_SIZE, lay_out
from lca_analysis.trajectory.words import FORMATS

SHAPES = [(), (1,), (0,), (0, 3), (7,), (2, 3), (2, 1, 3, 2)]


@st.composite
def trajectories(draw):
    """A tensor dtype, shapes, and points in which elements stay, drift, jump, and take special values."""
    dtype = draw(st.sampled_from(list(FORMATS)))
    shapes = draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    move = draw(st.sampled_from(["stay", "drift", "jump", "special"]))
    points = draw(st.integers(1, 7))
    return dtype, shapes, [[_element(dtype, shape, rng, move, t) for shape in shapes] for t in range(points)]


def _element(dtype, shape, rng, move, point):
    storage = FORMATS[dtype].storage
    size = int(np.prod(shape))
    if move == "special":
        return rng.choice(special_words(dtype), size).reshape(shape)
    if move == "jump":
        return _bits(rng, storage, shape, dtype)
    start = np.linspace(0.5, 1.5, size)
    moved = start if move == "stay" else start * 1.01**point
    if dtype == "bfloat16":
        return (moved.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).reshape(shape)
    return (moved * (1 if FORMATS[dtype].kind == "float" else 50)).astype(storage).reshape(shape)


def _bits(rng, storage, shape, dtype):
    """Random bits; a bool has only two patterns."""
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return np.frombuffer(rng.bytes(int(np.prod(shape)) * storage.itemsize), storage).reshape(shape)


@settings(max_examples=120, deadline=None)
@given(trajectories(), st.sampled_from(["small", "fast"]), st.integers(1, 4))
def test_any_trajectory_of_any_dtype_comes_back_to_the_bit(trajectory, preset, segment_length):
    dtype, shapes, points = trajectory
    tensors = [tensor(f"t{n}.weight", shape, dtype) for n, shape in enumerate(shapes)]
    named = [{t.name: array for t, array in zip(tensors, arrays, strict=True)} for arrays in points]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "run", manifest(tensors, preset, segment_length), named)
        read_back(path, named)


@pytest.mark.parametrize(
    ("version", "preset"), [(5, "small"), (5, "fast"), (4, "fast"), (3, "small"), (3, "fast"), (2, "small")]
)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_a_tensor_large_enough_for_groups_and_classes_comes_back_to_the_bit(tmp_path, dtype, version, preset):
    walk = random_walk(9000, 14)
    if dtype == "bfloat16":
        arrays = [(w.view(np.uint32) >> 16).astype(np.uint16) for w in walk]
    else:
        arrays = [w.astype(dtype) for w in walk]
    special = special_words(dtype)
    for t, array in enumerate(arrays):
        array[t : t + len(special)] = special
    points = [{"a.weight": array.reshape(90, 100)} for array in arrays]
    described = manifest([tensor("a.weight", (90, 100), dtype)], preset, 8, format_version=version)
    path = write(tmp_path / "run", described, points)
    read_back(path, points)


def test_a_tensor_over_several_blocks_comes_back_beside_small_ones(tmp_path):
    size = BLOCK_SIZE + 5000
    tensors = [tensor("a.weight", (100,)), tensor("b.weight", (size,)), tensor("c.weight", (10,), "float64")]
    tensors += [tensor("d.weight", (5, 2)), tensor("e.weight", (3,))]
    assert [block.size for block in lay_out(tensors)] == [BLOCK_SIZE, size + 113 - BLOCK_SIZE, 10]
    points = [
        {"a.weight": w[:100], "b.weight": w[100 : 100 + size], "c.weight": w[-10:].astype(float)}
        | {"d.weight": w[-30:-20].reshape(5, 2), "e.weight": w[-20:-17]}
        for w in random_walk(size + 130, 4)
    ]
    path = write(tmp_path / "run", manifest(tensors, segment_length=3), points)
    read_back(path, points)
    alone = open_run(path).weights(3, ["b.weight"])
    assert np.array_equal(alone["b.weight"], points[3]["b.weight"])


def test_weights_that_do_not_move_cost_next_to_nothing(tmp_path):
    still = np.random.default_rng(0).normal(0, 1, 100_000).astype(np.float32)
    still[::3] = -0.0
    path = write(
        tmp_path / "run", manifest([tensor("a.weight", (100_000,))], segment_length=100), [{"a.weight": still}] * 41
    )
    first = open_run(path).segments[0].frames[1]
    behind = open_run(path).segments[0].bytes - first.offset
    assert behind < 40 * 250  # bytes a frame, of 400,000 raw
