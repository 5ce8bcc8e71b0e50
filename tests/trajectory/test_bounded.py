"""A bounded-error recording keeps every parameter within its bound at every point, and says that it is one."""

import tempfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from trajectory.made_runs import manifest, random_walk, same_bits, special_words, tensor, write

from lca_analysis.errors import ArgumentError, CorruptError, NumericalError
from lca_analysis.trajectory import (
    FORMAT_VERSION,
    RecordingPolicy,
    RunWriter,
    bfloat16_to_float32,
    describe,
    open_run,
    verify,
)
from lca_analysis.trajectory.words import FORMATS

FLOATS = ["float64", "float32", "float16", "bfloat16"]


def bounded(tensors, fraction=1 / 16, preset="small", segment_length=64, version=FORMAT_VERSION):
    policy = RecordingPolicy(1, preset, False, segment_length, fraction)
    return msgspec.structs.replace(manifest(tensors), recording=policy, format_version=version)


def numbers(array, dtype):
    return (bfloat16_to_float32(array) if dtype == "bfloat16" else array).astype(np.float64)


def check_bounds(path, points, name, dtype, fraction, segment_length):
    """Compare with the means recomputed here, element by element, from nothing but the weights that are read."""
    read = [numbers(point.weights[name], dtype).reshape(-1).tolist() for point in open_run(path).walk()]
    exact = [numbers(point[name], dtype).reshape(-1).tolist() for point in points]
    found = [point.weights[name].reshape(-1) for point in open_run(path).walk()]
    written = [point[name].reshape(-1) for point in points]
    assert len(read) == len(exact)
    for i in range(len(exact[0]) if exact else 0):
        mean = 0.0
        for t in range(len(exact)):
            fresh = t % segment_length
            if fresh == 0:
                mean = 0.0
            if fresh >= 2:
                step = float(np.abs(np.float64(read[t - 1][i]) - read[t - 2][i]))
                mean = step if mean == 0 else mean * 0.75 + step * 0.25
            same = found[t][i : i + 1].tobytes() == written[t][i : i + 1].tobytes()
            assert same or abs(read[t][i] - exact[t][i]) <= fraction * mean, (t, i, read[t][i], exact[t][i], mean)


@st.composite
def trajectories(draw):
    """Walks in which elements stay, drift, jump by many binades, cross zero, or take special values."""
    dtype = draw(st.sampled_from(FLOATS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-310, 1e-41, 1e-7, 1e-3, 1.0, 1e4, 1e38, 1e307]))
    special = draw(st.sampled_from([0.0, 0.1, 1.0]))
    form, size = FORMATS[dtype], 12
    value, points = rng.normal(0, 1, size), []
    for _ in range(draw(st.integers(1, 14))):
        value = value + rng.normal(0, np.exp(rng.normal(-3, 3, size))) * (rng.random(size) < 0.8)
        with np.errstate(all="ignore"):
            scaled = value * scale
            if dtype == "bfloat16":
                array = (scaled.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
            else:
                array = scaled.astype(form.storage)
        odd = rng.random(size) < special
        array[odd] = rng.choice(special_words(dtype), odd.sum())
        points.append({"a.weight": array.reshape(3, 4)})
    return dtype, points


@settings(max_examples=150, deadline=None)
@given(
    trajectories(), st.sampled_from([1 / 16, 1 / 4, 0.3, 1.0]), st.sampled_from(["small", "fast"]), st.integers(2, 9)
)
def test_every_parameter_is_within_its_bound_at_every_point(trajectory, fraction, preset, segment_length):
    dtype, points = trajectory
    # Format version 2 rounds small tensors too; the arithmetic is the same.
    described = bounded([tensor("a.weight", (3, 4), dtype)], fraction, preset, segment_length, version=2)
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        path = write(Path(folder) / "run", described, points)
        assert verify(path).ok
        check_bounds(path, points, "a.weight", dtype, fraction, segment_length)


def test_errors_are_made_and_do_not_grow(tmp_path):
    """The mean error is well above nothing, and no larger in the last ten points than in ten early ones."""
    walk = random_walk(4000, 200, seed=4)
    path = write(tmp_path / "run", bounded([tensor("a.weight", (40, 100))], segment_length=500), as_points(walk))
    errors = [
        np.abs(point.weights["a.weight"].reshape(-1).astype(float) - exact).mean()
        for point, exact in zip(open_run(path).walk(), walk, strict=True)
    ]
    assert 0 < np.mean(errors[-10:]) < 1.3 * np.mean(errors[20:30])


@pytest.mark.parametrize(
    ("version", "shape", "rounded"), [(2, (31, 33), True), (3, (31, 33), False), (3, (32, 32), True)]
)
def test_small_tensors_are_exact_since_version_3(tmp_path, version, shape, rounded):
    points = [{"a.weight": w.reshape(shape)} for w in random_walk(shape[0] * shape[1], 8, seed=7)]
    path = write(tmp_path / "run", bounded([tensor("a.weight", shape)], version=version), points)
    found = [point.weights["a.weight"] for point in open_run(path).walk()]
    same = [same_bits(array, point["a.weight"]) for array, point in zip(found, points, strict=True)]
    assert same == [t < 2 or not rounded for t in range(8)]
    check_bounds(path, points, "a.weight", "float32", 1 / 16 if rounded else 0.0, 64)


def as_points(walk):
    return [{"a.weight": w.reshape(40, 100)} for w in walk]


def test_biases_buffers_integers_and_the_first_two_points_are_exact(tmp_path):
    walk = random_walk(4000, 20, seed=5)
    tensors = [
        tensor("a.weight", (40, 100)),
        tensor("a.bias", (4000,)),
        tensor("running", (40, 100), role="buffer"),
        tensor("count", (2, 2), "int64"),
    ]
    points = [
        {"a.weight": w.reshape(40, 100), "a.bias": w, "running": w.reshape(40, 100), "count": np.full((2, 2), t)}
        for t, w in enumerate(walk)
    ]
    found = list(open_run(write(tmp_path / "run", bounded(tensors), points)).walk())
    for t, (point, exact) in enumerate(zip(found, points, strict=True)):
        for name in ("a.bias", "running", "count"):
            assert same_bits(point.weights[name], exact[name])
        assert same_bits(point.weights["a.weight"], exact["a.weight"]) == (t < 2)


def test_parameters_that_do_not_move_stay_exact_and_cost_next_to_nothing(tmp_path):
    still = np.random.default_rng(0).normal(0, 1, (1000, 100)).astype(np.float32)
    path = write(tmp_path / "run", bounded([tensor("a.weight", (1000, 100))]), [{"a.weight": still}] * 41)
    assert same_bits(open_run(path).weights(40)["a.weight"], still)
    run = open_run(path)
    assert run.segments[0].bytes - run.segments[0].frames[1].offset < 40 * 300


def test_it_is_far_smaller_than_lossless(tmp_path):
    """The bits of a step of width 2 f m for a normal residual of the walk, with room for headers; measured 4.2."""
    walk = random_walk(40_000, 64, seed=6)
    points = [{"a.weight": w.reshape(400, 100)} for w in walk]
    sizes = []
    for described in (
        bounded([tensor("a.weight", (400, 100))]),
        manifest([tensor("a.weight", (400, 100))], "small", 64),
    ):
        path = write(tmp_path / f"run{len(sizes)}", described, points)
        sizes.append(describe(open_run(path))["bits_per_parameter_per_point"])
    assert sizes[0] < 0.6 * sizes[1]


def test_a_run_says_that_it_is_not_lossless(tmp_path):
    points = as_points(random_walk(4000, 5))
    path = write(tmp_path / "run", bounded([tensor("a.weight", (40, 100))]), points)
    facts = describe(open_run(path))
    assert (facts["lossless"], facts["error_fraction"]) == (False, 1 / 16)
    assert any("bounded error" in note and "0.0625" in note for note in verify(path).notes)


@pytest.mark.parametrize(("fraction", "lossless"), [(0.1, True), (0.0, False), (-0.1, False), (2.0, False)])
def test_an_impossible_fraction_is_refused(tmp_path, fraction, lossless):
    described = bounded([tensor("a.weight", (2, 2))], fraction)
    described = msgspec.structs.replace(
        described, recording=msgspec.structs.replace(described.recording, lossless=lossless)
    )
    with pytest.raises((ArgumentError, CorruptError), match="error_fraction"):
        RunWriter.create(tmp_path / "run", described)


def test_a_changed_fraction_in_the_manifest_is_reported(tmp_path):
    path = write(tmp_path / "run", bounded([tensor("a.weight", (40, 100))]), as_points(random_walk(4000, 5)))
    text = (path / "run.json").read_text()
    (path / "run.json").write_text(text.replace("0.0625", "0.125"))
    with pytest.raises(CorruptError, match=r"run\.json was changed"):
        open_run(path)


def test_a_thread_that_flushes_subnormals_records_exactly(tmp_path):
    points = as_points(random_walk(4000, 12))
    described = bounded([tensor("a.weight", (40, 100))])
    writer = RunWriter.create(tmp_path / "run", described)
    for t, weights in enumerate(points):
        torch.set_flush_denormal(5 <= t < 8)
        try:
            writer.append(t, weights)
        finally:
            torch.set_flush_denormal(False)
    writer.close()
    found = list(open_run(tmp_path / "run").walk())
    exact = [
        same_bits(point.weights["a.weight"], weights["a.weight"]) for point, weights in zip(found, points, strict=True)
    ]
    assert exact == [t < 2 or 5 <= t < 9 for t in range(12)]
    torch.set_flush_denormal(True)
    try:
        with pytest.raises(NumericalError, match="set_flush_denormal"):
            list(open_run(tmp_path / "run").walk())
    finally:
        torch.set_flush_denormal(False)
