"""Reading one point or one tensor decodes no more than it must."""

import fsspec
import numpy as np
import pytest
from trajectory.made_runs import manifest, random_walk, same_bits, tensor, write

from lca_analysis.trajectory import open_run, verify
from lca_analysis.trajectory.block_decoding import BlockDecoder
from lca_analysis.trajectory.blocks import BLOCK_SIZE


@pytest.fixture
def decoded(monkeypatch):
    """Sizes of the blocks that were decoded."""
    sizes = []

    def counting(original):
        def counted(self, header, data):
            sizes.append(self._block.size)
            return original(self, header, data)

        return counted

    monkeypatch.setattr(BlockDecoder, "keyframe", counting(BlockDecoder.keyframe))
    monkeypatch.setattr(BlockDecoder, "delta", counting(BlockDecoder.delta))
    return sizes


@pytest.mark.parametrize("iteration", [0, 3, 4, 7, 9])
def test_one_point_decodes_its_segment_up_to_it_and_no_other(small_run, decoded, iteration):
    path, points = small_run
    found = open_run(path).weights(iteration, ["a.bias"])
    assert same_bits(found["a.bias"], points[iteration]["a.bias"])
    assert decoded == [15] * (iteration % 4 + 1)  # the block of the floats, not that of the counter


def test_one_tensor_decodes_only_the_blocks_that_hold_it(tmp_path, decoded):
    walk = random_walk(3 * BLOCK_SIZE, 2)
    tensors = [tensor("a.weight", (2 * BLOCK_SIZE,)), tensor("b.weight", (BLOCK_SIZE,))]
    points = [{"a.weight": w[: 2 * BLOCK_SIZE], "b.weight": w[2 * BLOCK_SIZE :]} for w in walk]
    path = write(tmp_path / "run", manifest(tensors, "fast"), points)
    assert same_bits(open_run(path).weights(1, ["b.weight"])["b.weight"], points[1]["b.weight"])
    assert decoded == [BLOCK_SIZE] * 2


def test_everything_works_behind_a_url(small_run):
    path, points = small_run
    fs = fsspec.filesystem("memory")
    fs.put(str(path), "/stored/small", recursive=True)
    try:
        run = open_run("memory://stored/small")
        for point, exact in zip(run.walk(), points, strict=True):
            assert all(same_bits(point.weights[name], exact[name]) for name in exact)
        assert run.scalars()["loss"][0].tolist() == [1, 3, 5, 7, 9]
        report = verify("memory://stored/small", progress=False)
        assert (report.ok, report.points, report.notes) == (True, 10, ())
        assert np.array_equal(run.iterations, open_run(path).iterations)
    finally:
        fs.rm("/stored", recursive=True)


@pytest.mark.parametrize("chosen", [None, ["a.weight"], ["a.bias", "count"]])
def test_what_a_caller_does_to_a_point_reaches_no_other(small_run, chosen):
    path, points = small_run
    held = []
    for point, expected in zip(open_run(path).walk(tensors=chosen), points, strict=True):
        assert all(same_bits(array, expected[name]) for name, array in point.weights.items())
        for array in point.weights.values():
            array[...] = 7
        held.append(point.weights)
    assert all((array == 7).all() for weights in held for array in weights.values())
    first, *others = held[0].values()
    first[...] = 1
    assert all((array == 7).all() for array in others)
