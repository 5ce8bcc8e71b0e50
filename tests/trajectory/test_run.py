"""Reading a run: any iteration, any range, any tensors, with what was logged."""

import fsspec
import numpy as np
import pytest
from trajectory.made_runs import manifest, random_walk, same_bits, tensor, write

from lca_analysis.errors import NotFoundError
from lca_analysis.trajectory import RunWriter, bfloat16_to_float32, blocks, describe, open_run
from lca_analysis.trajectory.block_decoding import BlockDecoder


def test_the_weights_of_any_iteration_in_any_order(small_run):
    path, points = small_run
    run = open_run(path)
    for iteration in (9, 0, 5, 3, 4, 8):
        weights = run.weights(iteration)
        assert all(same_bits(weights[name], array) for name, array in points[iteration].items())


@pytest.mark.parametrize(("first", "last"), [(None, None), (0, 0), (3, 4), (5, None), (None, 6), (8, 9), (6, 2)])
def test_a_range_of_points(small_run, first, last):
    run = open_run(small_run[0])
    low, high = 0 if first is None else first, 9 if last is None else last
    assert [point.iteration for point in run.walk(first, last)] == list(range(low, high + 1))


def test_one_iteration_decodes_at_most_one_segment(small_run, monkeypatch):
    decoded = []
    for name in ("keyframe", "delta"):
        original = getattr(BlockDecoder, name)
        monkeypatch.setattr(
            BlockDecoder, name, lambda *a, original=original, name=name: (decoded.append(name), original(*a))
        )
    run = open_run(small_run[0])
    run.weights(6, ["a.weight"])
    assert decoded == ["keyframe", "delta", "delta"]


def test_only_the_tensors_asked_for(small_run):
    path, points = small_run
    point = next(open_run(path).walk(7, 7, ["count", "a.bias"]))
    assert point.weights.keys() == {"count", "a.bias"}
    assert same_bits(point.weights["a.bias"], points[7]["a.bias"])


def test_an_unknown_tensor_is_answered_with_names_that_are_close(small_run):
    with pytest.raises(NotFoundError, match=r"a\.weight"):
        open_run(small_run[0]).walk(tensors=["a.weigth"])


@pytest.mark.parametrize("iteration", [-1, 10, 10**12])
def test_an_iteration_that_was_not_recorded(small_run, iteration):
    with pytest.raises(NotFoundError, match="from 0 to 9"):
        open_run(small_run[0]).weights(iteration)


def test_points_belong_to_the_caller(small_run):
    path, points = small_run
    kept = []
    for point in open_run(path).walk():
        kept.append({name: array.copy() for name, array in point.weights.items()})
        for array in point.weights.values():
            array[...] = 0
    for found, weights in zip(kept, points, strict=True):
        assert all(same_bits(found[name], array) for name, array in weights.items())


@pytest.mark.parametrize("names", [None, ["a.bias"], ["count", "a.weight"]])
def test_points_without_copies_hold_until_the_next_but_one(small_run, names):
    path, points = small_run
    before = None
    for point in open_run(path).walk(1, tensors=names, copy=False):
        exact = points[point.iteration]
        assert all(same_bits(array, exact[name]) for name, array in point.weights.items())
        if before is not None:  # also where a keyframe, at 4 and 8, came in between
            earlier = points[before.iteration]
            assert all(same_bits(array, earlier[name]) for name, array in before.weights.items())
        before = point


def test_tensors_without_copies_lie_one_behind_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_SIZE", 6)
    tensors = [tensor("a.weight", (3, 5)), tensor("b.weight", (2,), "float64"), tensor("c.weight", (4,))]
    walk = random_walk(19, 3, seed=2)
    points = [{"a.weight": w[:15].reshape(3, 5), "b.weight": np.ones(2) * t, "c.weight": w[15:]} for t, w in
              enumerate(walk)]  # fmt: skip
    write(tmp_path / "run", manifest(tensors), points)
    for t, point in enumerate(open_run(tmp_path / "run").walk(copy=False)):
        first, last = point.weights["a.weight"], point.weights["c.weight"]
        assert all(same_bits(point.weights[name], array) for name, array in points[t].items())
        assert first.ctypes.data % 64 == 0
        assert last.ctypes.data == first.ctypes.data + first.nbytes
        assert first.base is last.base is not None


def test_steps_are_the_differences_of_points(small_run):
    path, points = small_run
    steps = list(open_run(path).steps(2, 6))
    assert [(step.iteration, step.iteration_next) for step in steps] == [(2, 3), (3, 4), (4, 5), (5, 6)]
    for step in steps:
        for name, change in step.steps.items():
            expected = points[step.iteration_next][name] - points[step.iteration][name]
            assert np.array_equal(change, expected)
    assert list(open_run(path).steps(4, 4)) == []


def test_the_steps_of_bfloat16_are_float32(tmp_path):
    words = [np.array([16256, 16128], np.uint16), np.array([16192, 16128], np.uint16)]
    write(tmp_path / "run", manifest([tensor("a.weight", (2,), "bfloat16")]), [{"a.weight": w} for w in words])
    (step,) = open_run(tmp_path / "run").steps()
    assert bfloat16_to_float32(words[0]).tolist() == [1.0, 0.5]
    assert step.steps["a.weight"].tolist() == [-0.25, 0.0]


def test_hyperparameters_are_listed_where_they_change(small_run):
    run = open_run(small_run[0])
    assert run.hyperparameters() == [
        (0, [{"lr": 0.1, "betas": [0.9, 0.99]}]),
        (6, [{"lr": 0.01, "betas": [0.9, 0.99]}]),
    ]
    assert [point.hyperparameters[0]["lr"] for point in run.walk(4)] == [0.1, 0.1, 0.01, 0.01, 0.01, 0.01]


def test_scalars_come_with_their_iterations(small_run):
    iterations, losses = open_run(small_run[0]).scalars()["loss"]
    assert iterations.tolist() == [1, 3, 5, 7, 9]
    assert losses.tolist() == [1.0 / (t + 1) for t in iterations]


def test_irregular_iterations_over_many_segments(tmp_path):
    writer = RunWriter.create(tmp_path / "run", manifest([tensor("a.weight", (3,))], segment_length=2))
    iterations = [0, 10, 11, 500, 10**9]
    for iteration in iterations:
        writer.append(iteration, {"a.weight": np.full(3, iteration, np.float32)})
    writer.close()
    run = open_run(tmp_path / "run")
    assert run.iterations.tolist() == iterations
    assert [segment.iterations.tolist() for segment in run.segments] == [[0, 10], [11, 500], [10**9]]
    assert run.weights(500)["a.weight"].tolist() == [500.0] * 3


def test_a_run_without_points_is_empty_not_broken(tmp_path):
    RunWriter.create(tmp_path / "run", manifest([tensor("a.weight", (3,))])).close()
    run = open_run(tmp_path / "run")
    assert run.iterations.tolist() == []
    assert list(run.walk()) == []
    assert not run.complete
    assert describe(run)["bits_per_parameter_per_point"] is None


def test_a_summary_agrees_with_the_run_and_the_disk(small_run):
    path, _ = small_run
    summary = describe(open_run(path))
    size = sum(file.stat().st_size for file in (path / "segments").iterdir())
    assert summary["bytes"] == size
    assert summary["bits_per_parameter_per_point"] == 8 * size / (15 * 10)
    assert (summary["iterations"], summary["parameters"], summary["segments"]) == (9, 15, 3)
    assert summary["complete"] is True


def test_a_run_behind_a_url(tmp_path):
    walk = random_walk(6000, 6)
    write(tmp_path / "run", manifest([tensor("a.weight", (6000,))]), [{"a.weight": w} for w in walk])
    fs = fsspec.filesystem("memory")
    fs.put(str(tmp_path / "run"), "/stored/run", recursive=True)
    run = open_run("memory://stored/run")
    assert same_bits(run.weights(5)["a.weight"], walk[5])
    fs.rm("/stored", recursive=True)
