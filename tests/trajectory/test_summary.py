"""What `describe` says of a run, against the bytes of its files and what was done to it."""

import struct

import msgspec
import pytest
from trajectory.made_runs import manifest, random_walk, tensor

from lca_analysis.trajectory import RecordingPolicy, RunWriter, describe, open_run

TENSORS = [tensor("a.weight", (30, 10)), tensor("a.bias", (10,)), tensor("n.count", (), "int64", "buffer")]


def append(writer, iterations):
    for iteration, flat in zip(iterations, random_walk(310, len(iterations)), strict=True):
        arrays = {"a.weight": flat[:300].reshape(30, 10), "a.bias": flat[300:]}
        writer.append(iteration, arrays | {"n.count": flat[0].astype("i8").reshape(())})
    writer.close()


@pytest.fixture
def path(tmp_path):
    policy = RecordingPolicy(every=2, segment_length=4, windows=[(0, 10), (30, 36)])
    described = msgspec.structs.replace(manifest(TENSORS), recording=policy)
    append(RunWriter.create(tmp_path / "run", described), [0, 2, 4, 6, 8, 10])
    append(RunWriter.resume(tmp_path / "run"), [30, 32, 34])
    append(RunWriter.resume(tmp_path / "run", 32), [34, 36])
    return tmp_path / "run"


def first_frame(data):
    """Length of the frame behind the magic, from its prefix."""
    assert data[8:12] == b"LCAF"
    header, payload = struct.unpack("<IQ", data[12:24])
    return 24 + header + payload + 8


def test_bytes_and_ratios(path):
    files = sorted((path / "segments").iterdir())
    size = sum(file.stat().st_size for file in files)
    whole = size + (path / "run.json").stat().st_size
    facts = describe(open_run(path))
    assert (facts["segments"], facts["bytes"], facts["folder_bytes"]) == (4, size, whole)
    assert facts["keyframe_bytes"] == sum(first_frame(file.read_bytes()) for file in files)
    assert facts["keyframe_share"] == facts["keyframe_bytes"] / size
    assert facts["bits_per_parameter_per_point"] == 8 * size / (310 * 10)
    assert facts["raw_float32_over_folder"] == 4 * 311 * 10 / whole


def test_how_far_it_got_its_gaps_and_where_it_was_resumed(path):
    facts = describe(open_run(path))
    assert (facts["first_iteration"], facts["last_iteration"], facts["longest_step"]) == (0, 36, 20)
    assert facts["gaps"] == [[10, 30]]
    assert facts["recorded_windows"] == [[0, 10], [30, 36]]
    assert facts["resumed_behind"] == [10, 32]


def test_a_run_without_a_point(tmp_path):
    RunWriter.create(tmp_path / "run", manifest(TENSORS)).close()
    facts = describe(open_run(tmp_path / "run"))
    nothing = ("keyframe_share", "bits_per_parameter_per_point", "longest_step", "last_iteration")
    assert [facts[name] for name in nothing] == [None] * 4
    assert (facts["gaps"], facts["resumed_behind"], facts["raw_float32_over_folder"]) == ([], [], 0)
