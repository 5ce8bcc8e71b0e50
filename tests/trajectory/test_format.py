"""The bytes on disk are those of docs/run_format.md: a second, slow reader agrees with the package's."""

import io

import numpy as np
import pytest
from trajectory.made_runs import manifest, random_walk, read_back, special_words, tensor, write
from trajectory.slow_reader import read_points

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory import RunWriter, open_run
from lca_analysis.trajectory.frames import FrameHeader, find_frame, pack_frame, read_frame
from lca_analysis.trajectory.scratch import Scratch


@pytest.mark.parametrize(
    ("preset", "version", "size"),
    [("small", 5, 9000), ("fast", 5, 9000), ("fast", 4, 9000), ("fast", 3, 5000), ("small", 2, 5000)],
)
def test_the_slow_reader_agrees(tmp_path, preset, version, size):
    walk = random_walk(size, 12, seed=3)
    for t, array in enumerate(walk):
        array[200:214] = np.roll(special_words("float32"), t)
    tensors = [tensor("a.weight", (size // 100 - 1, 100)), tensor("none.weight", (0,)), tensor("a.bias", (100,))]
    none = np.empty(0, np.float32)
    points = [{"a.weight": w[:-100].reshape(-1, 100), "none.weight": none, "a.bias": w[-100:]} for w in walk]
    groups = [[{"lr": 0.1}] if t < 5 else [{"lr": 0.05}] for t in range(12)]
    path = write(tmp_path / "run", manifest(tensors, preset, 7, format_version=version), points, hyperparameters=groups)
    slow, fast = list(read_points(path)), list(open_run(path).walk())
    assert len(slow) == len(fast) == 12
    for t, ((iteration, words, used, _), point) in enumerate(zip(slow, fast, strict=True)):
        assert iteration == point.iteration == t
        assert np.array_equal(np.array(words, np.uint32), walk[t].view(np.uint32))
        assert used == point.hyperparameters == groups[t]


@pytest.mark.parametrize(
    ("version", "preset", "orders"),
    [(5, "small", {0, 3}), (5, "fast", {0, 4}), (4, "fast", {0, 3}), (3, "small", {0, 1, 2})],
)
def test_the_runs_above_use_momentum_and_all_orders(tmp_path, version, preset, orders):
    points = [{"a.weight": w} for w in random_walk(9000, 12, seed=3)]
    path = write(tmp_path / "run", manifest([tensor("a.weight", (9000,))], preset, 12, format_version=version), points)
    segment = open_run(path).segments[0]
    with open(segment.file, "rb") as file:
        blocks = [
            read_frame(file, find_frame(file, entry.offset, segment.bytes))[0].blocks[0] for entry in segment.frames
        ]
    assert {block.order for block in blocks} == orders
    assert blocks[-1].predictors == [2]
    assert blocks[-1].momenta == [pytest.approx(0.9, abs=1e-3)]
    streams = max(len(block.streams) for block in blocks)
    assert streams == 2 if 4 in orders else streams >= 3


def test_a_frame_without_groups_is_refused_in_version_4(tmp_path):
    """A run of version 5 that says it is of version 4: the same bytes otherwise, and the same layout checksum."""
    points = [{"a.weight": w} for w in random_walk(5000, 4, seed=3)]
    path = write(tmp_path / "run", manifest([tensor("a.weight", (5000,))], "fast", 12), points)
    described = (path / "run.json").read_text()
    assert '"format_version": 5' in described
    (path / "run.json").write_text(described.replace('"format_version": 5', '"format_version": 4'))
    with pytest.raises(CorruptError, match="iteration 1: the frame names an order that does not exist"):
        list(open_run(path).walk())


class Slow(io.BytesIO):
    """A file that gives seven bytes at a time."""

    def readinto(self, place):
        return super().readinto(memoryview(place)[:7])


def test_a_frame_is_read_whole_from_a_file_that_gives_little_at_a_time():
    payload = bytes(range(200))
    data = b"".join(pack_frame(FrameHeader("delta", 3), [payload], len(payload)))
    entry, scratch = find_frame(io.BytesIO(data), 0, len(data)), Scratch()
    for kept in (None, scratch, scratch):
        header, found = read_frame(Slow(data), entry, kept)
        assert (header.iteration, bytes(found)) == (3, payload)
        with pytest.raises(CorruptError, match="ends within"):
            read_frame(Slow(data[:-1]), entry, kept)


def test_large_residuals_have_classes_of_their_own_since_version_3(tmp_path):
    """Steps of thousands to millions of units in the last place: version 2 sorts them into one class, 3 by octave."""
    scale = np.repeat(np.exp2(np.arange(-11, -3)), 2100).astype(np.float32)
    rng = np.random.default_rng(0)
    points = [{"a.weight": np.ones_like(scale)}]
    for _ in range(9):
        points.append({"a.weight": points[-1]["a.weight"] + scale * rng.normal(0, 1, scale.size).astype(np.float32)})
    tensors, sizes, streams = [tensor("a.weight", scale.shape)], {}, {}
    for version in (2, 3):
        path = write(tmp_path / str(version), manifest(tensors, "small", 12, format_version=version), points)
        segment = open_run(path).segments[0]
        with open(segment.file, "rb") as file:
            header = read_frame(file, find_frame(file, segment.frames[-1].offset, segment.bytes))[0]
        sizes[version], streams[version] = segment.bytes, len(header.blocks[0].streams)
        read_back(path, points)
    assert streams[2] == 1
    assert streams[3] >= 6
    assert sizes[3] < 0.99 * sizes[2]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_run_of_an_older_version_is_gone_on_with_in_that_version(tmp_path, version):
    points = [{"a.weight": w} for w in random_walk(5000, 9, seed=3)]
    described = manifest([tensor("a.weight", (5000,))], "small", 4, format_version=version)
    path = write(tmp_path / "run", described, points[:6], complete=False)
    writer = RunWriter.resume(path)
    for iteration, weights in enumerate(points[6:], start=6):
        writer.append(iteration, weights)
    writer.close()
    assert open_run(path).manifest.format_version == version
    read_back(path, points)
