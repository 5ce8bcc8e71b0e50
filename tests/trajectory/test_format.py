"""The bytes on disk are those of docs/run_format.md: a second, slow reader agrees with the package's."""

import numpy as np
import pytest
from trajectory.made_runs import manifest, random_walk, special_words, tensor, write
from trajectory.slow_reader import read_points

from lca_analysis.trajectory import open_run
from lca_analysis.trajectory.frames import find_frame, read_frame


@pytest.mark.parametrize("preset", ["small", "fast"])
def test_the_slow_reader_agrees(tmp_path, preset):
    walk = random_walk(5000, 12, seed=3)
    for t, array in enumerate(walk):
        array[200:214] = np.roll(special_words("float32"), t)
    tensors = [tensor("a.weight", (49, 100)), tensor("none.weight", (0,)), tensor("a.bias", (100,))]
    none = np.empty(0, np.float32)
    points = [{"a.weight": w[:4900].reshape(49, 100), "none.weight": none, "a.bias": w[4900:]} for w in walk]
    groups = [[{"lr": 0.1}] if t < 5 else [{"lr": 0.05}] for t in range(12)]
    path = write(tmp_path / "run", manifest(tensors, preset, 7), points, hyperparameters=groups)
    slow, fast = list(read_points(path)), list(open_run(path).walk())
    assert len(slow) == len(fast) == 12
    for t, ((iteration, words, used, _), point) in enumerate(zip(slow, fast, strict=True)):
        assert iteration == point.iteration == t
        assert np.array_equal(np.array(words, np.uint32), walk[t].view(np.uint32))
        assert used == point.hyperparameters == groups[t]


def test_the_run_above_uses_momentum_and_all_orders(tmp_path):
    points = [{"a.weight": w} for w in random_walk(5000, 12, seed=3)]
    path = write(tmp_path / "run", manifest([tensor("a.weight", (5000,))], "small", 12), points)
    segment = open_run(path).segments[0]
    with open(segment.file, "rb") as file:
        blocks = [
            read_frame(file, find_frame(file, entry.offset, segment.bytes))[0].blocks[0] for entry in segment.frames
        ]
    assert {block.order for block in blocks} == {0, 1, 2}
    assert blocks[-1].predictors == [2]
    assert blocks[-1].momenta == [pytest.approx(0.9, abs=1e-3)]
    assert max(len(block.streams) for block in blocks) >= 2
