"""Damage is told, with file and iteration; what a dying process leaves behind opens up to its last whole point."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest
import torch
from trajectory.made_runs import RUN_ID, manifest, random_walk, read_back, same_bits, tensor, write

from lca_analysis.errors import CorruptError, FormatError, NotFoundError, NumericalError
from lca_analysis.trajectory import FORMAT_VERSION, open_run, verify
from lca_analysis.trajectory.frames import END, FrameHeader, pack_frame


def segment(path, number=0):
    return path / "segments" / f"{number:06d}.lcaseg"


def readable(path, points):
    """Open and read a run that may be damaged; how many points it gives, all of them right, or None if it reports."""
    try:
        found = list(open_run(path).walk())
    except FormatError:
        return None
    for point in found:
        for name, array in points[point.iteration].items():
            assert same_bits(point.weights[name], array)
    assert [point.iteration for point in found] == list(range(len(found)))
    return len(found)


def test_the_last_segment_cut_at_any_byte_opens_to_the_last_whole_point(small_run):
    path, points = small_run
    run = open_run(path)
    ends = [entry.end for entry in run.segments[-1].frames]
    data = segment(path, 2).read_bytes()
    for size in range(len(data)):
        segment(path, 2).write_bytes(data[:size])
        assert readable(path, points) == 8 + sum(end <= size for end in ends), size
        assert not open_run(path).complete
    segment(path, 2).write_bytes(data)
    assert open_run(path).complete


def test_zeros_that_a_power_failure_left_behind_are_no_damage(small_run):
    path, points = small_run
    data = segment(path, 2).read_bytes()
    segment(path, 2).write_bytes(data[: open_run(path).segments[2].frames[1].offset] + bytes(5000))
    assert readable(path, points) == 9
    assert "5000 bytes" in verify(path).notes[0]
    segment(path, 2).write_bytes(data[:-400] + bytes(10) + b"x" + bytes(500))
    assert readable(path, points) is None


def test_a_segment_in_the_middle_cut_at_any_byte_is_reported(small_run):
    path, points = small_run
    data = segment(path, 1).read_bytes()
    for size in range(0, len(data), 3):
        segment(path, 1).write_bytes(data[:size])
        assert readable(path, points) is None, size
        assert not verify(path).ok


def test_any_changed_byte_is_reported_or_harmless(small_run):
    path, points = small_run
    rng = np.random.default_rng(0)
    for number in range(3):
        data = segment(path, number).read_bytes()
        for place in range(len(data)):
            changed = bytearray(data)
            changed[place] ^= int(rng.integers(1, 256))
            segment(path, number).write_bytes(changed)
            assert readable(path, points) in (None, 10), (number, place)
        segment(path, number).write_bytes(data)


def test_any_changed_byte_of_the_manifest_is_reported_or_harmless(small_run):
    path, points = small_run
    data = (path / "run.json").read_bytes()
    rng = np.random.default_rng(1)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= int(rng.integers(1, 256))
        (path / "run.json").write_bytes(changed)
        assert readable(path, points) in (None, 10), place


def test_damage_in_the_middle_names_file_and_iteration(small_run):
    path, _ = small_run
    entry = open_run(path).segments[1].frames[1]
    data = bytearray(segment(path, 1).read_bytes())
    data[entry.end - 12] ^= 1
    segment(path, 1).write_bytes(data)
    run = open_run(path)
    assert run.weights(4).keys() == {"a.weight", "a.bias", "count"}
    with pytest.raises(CorruptError, match=r"000001\.lcaseg.*iteration 5"):
        run.weights(6)
    assert run.weights(9)


def test_a_damaged_header_is_no_source_of_numbers(small_run):
    path, _ = small_run
    data = bytearray(segment(path, 1).read_bytes())
    place = data.index(struct.pack(">d", 1 / 6))  # the loss of iteration 5
    data[place + 7] ^= 1
    segment(path, 1).write_bytes(data)
    with pytest.raises(CorruptError, match=r"000001\.lcaseg.*checksum of the header"):
        open_run(path).scalars()


def test_verify_lists_every_damaged_place_and_goes_on(small_run):
    path, _ = small_run
    run = open_run(path)
    for number, frame in ((0, 1), (0, 3), (1, 2)):
        data = bytearray(segment(path, number).read_bytes())
        data[run.segments[number].frames[frame].end - 10] ^= 0x40
        segment(path, number).write_bytes(data)
    segment(path, 2).write_bytes(segment(path, 2).read_bytes()[:-1])
    report = verify(path)
    assert not report.ok
    assert [sorted(set(problem.split()) & {"1:", "3:", "6:"}) for problem in report.problems] == [
        ["1:"],
        ["3:"],
        ["6:"],
        [],
    ]
    assert "its end was cut off" in report.problems[-1]
    assert report.points == 1 + 2 + 2
    assert any("never committed" in note for note in report.notes)


def test_a_whole_run_verifies(small_run):
    report = verify(small_run[0])
    assert report.ok
    assert report.points == 10
    assert report.notes == ()


def test_bytes_behind_the_end_of_a_closed_run_are_damage(small_run):
    path, _ = small_run
    segment(path, 2).write_bytes(segment(path, 2).read_bytes() + b"more")
    report = verify(path)
    assert report.points == 10
    assert len(report.problems) == 1
    assert "000002.lcaseg: behind the end mark are 4 bytes that no recorder wrote" in report.problems[0]
    assert len(list(open_run(path).walk())) == 10


def test_a_run_without_its_segments_says_what_is_missing(small_run):
    path, _ = small_run
    for number in range(3):
        segment(path, number).unlink()
    assert "closed at iteration 9, but there are no segments" in verify(path).problems[0]


@pytest.mark.parametrize("number", [0, 1])
def test_a_missing_segment_is_reported(small_run, number):
    path, _ = small_run
    segment(path, number).unlink()
    with pytest.raises(CorruptError, match=rf"00000{number}\.lcaseg"):
        open_run(path)


def test_points_that_are_lost_between_segments_are_reported(small_run):
    path, _ = small_run
    for number, kept in ((0, 1), (1, 3)):
        data, frames = segment(path, number).read_bytes(), open_run(path).segments[number].frames
        segment(path, number).write_bytes(data[: frames[kept - 1].end])
        with pytest.raises(CorruptError, match=rf"00000{number + 1}\.lcaseg.*points between are missing"):
            open_run(path)
        segment(path, number).write_bytes(data)


def test_an_end_mark_in_the_middle_is_reported(small_run):
    path, _ = small_run
    end = segment(path, 2).read_bytes()[open_run(path).segments[2].frames[-1].end :]
    data = segment(path, 1).read_bytes()
    segment(path, 1).write_bytes(data + end)
    with pytest.raises(CorruptError, match=r"000001\.lcaseg.*end mark of iteration 9 is not behind that point"):
        open_run(path)
    segment(path, 1).write_bytes(data + b"".join(pack_frame(FrameHeader(END, 7), [], 0)))
    with pytest.raises(CorruptError, match=r"000001\.lcaseg.*end mark.*not the last"):
        open_run(path)


def test_segments_that_change_places_are_reported(small_run):
    path, _ = small_run
    first, second = segment(path, 0).read_bytes(), segment(path, 1).read_bytes()
    segment(path, 0).write_bytes(second)
    segment(path, 1).write_bytes(first)
    with pytest.raises(CorruptError, match=r"000000\.lcaseg: begins at iteration 4, right after iteration 3, but"):
        open_run(path)


def test_a_segment_of_another_run_is_reported(small_run, tmp_path):
    path, points = small_run
    tensors = open_run(path).tensors
    other = msgspec.structs.replace(manifest(tensors), run_id=RUN_ID[::-1])
    write(tmp_path / "other", other, points)
    shutil.copy(segment(tmp_path / "other", 1), segment(path, 1))
    with pytest.raises(CorruptError, match="another run"):
        open_run(path)


def test_a_folder_that_is_no_run_is_told_from_one_that_is_missing(tmp_path):
    with pytest.raises(NotFoundError, match="does not exist"):
        open_run(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match=r"run\.json"):
        open_run(tmp_path / "empty")
    (tmp_path / "file").write_text("x")
    with pytest.raises(FormatError, match="is a file"):
        open_run(tmp_path / "file")


@pytest.mark.parametrize(
    "content", ["", "{}", "[1, 2]", '{"format": "zarr", "format_version": 1}', "\xff\xfe", "[" * 100_000]
)
def test_a_foreign_manifest_is_refused(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(FormatError, match=r"run\.json"):
        open_run(tmp_path)


def changed_manifest(path, **fields):
    described = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(described | fields))


def test_a_newer_format_asks_for_an_upgrade(small_run):
    path, _ = small_run
    changed_manifest(path, format_version=FORMAT_VERSION + 1)
    with pytest.raises(FormatError, match="upgrade") as caught:
        open_run(path)
    assert not isinstance(caught.value, CorruptError)


@pytest.mark.parametrize("shape", [[-1], [2**40], [2**20, 2**20], [1] * 40])
def test_impossible_shapes_are_refused_before_anything_is_allocated(small_run, shape):
    path, _ = small_run
    described = json.loads((path / "run.json").read_text())
    described["tensors"][0]["shape"] = shape
    (path / "run.json").write_text(json.dumps(described))
    with pytest.raises(CorruptError, match=r"a\.weight|elements"):
        open_run(path)


def test_a_changed_tensor_table_is_refused(small_run):
    path, _ = small_run
    described = json.loads((path / "run.json").read_text())
    described["tensors"][0]["shape"] = [4, 3]
    (path / "run.json").write_text(json.dumps(described))
    with pytest.raises(CorruptError, match=r"run\.json was changed"):
        open_run(path)


WRITE_FOREVER = """
import sys
import numpy as np
from trajectory.made_runs import manifest, tensor
from lca_analysis.trajectory import RunWriter
writer = RunWriter.create(sys.argv[1], manifest([tensor("a.weight", (500,))], segment_length=8))
for t in range(10**9):
    writer.append(t, {"a.weight": np.arange(500, dtype=np.float32) * np.float32(t)})
    if t == 20:
        print("going", flush=True)
"""


def test_a_killed_process_leaves_every_committed_point(tmp_path):
    path = tmp_path / "run"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_FOREVER, str(path)], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout.readline() == b"going\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    run = open_run(path)
    assert not run.complete
    assert len(run.iterations) > 20
    read_back(path, [{"a.weight": np.arange(500, dtype=np.float32) * np.float32(t)} for t in run.iterations])
    report = verify(path)
    assert report.ok
    assert any("did not close" in note for note in report.notes)


def test_a_machine_that_computes_otherwise_is_told_rather_than_given_wrong_weights(tmp_path, monkeypatch):
    points = [{"a.weight": w} for w in random_walk(300, 8)]
    path = write(tmp_path / "run", manifest([tensor("a.weight", (300,))], segment_length=8), points)

    def fused(values, before, momentum, form):
        wide = values.astype(np.float64) + (values.astype(np.float64) - before) * momentum
        return wide.astype(np.float32).view(np.uint32)

    for room in ("residuals", "coders"):
        monkeypatch.setattr(f"lca_analysis.trajectory.{room}.is_compiled", lambda form: False)
    monkeypatch.setattr("lca_analysis.trajectory.prediction.momentum_prediction", fused)
    with pytest.raises(CorruptError, match=r"000000\.lcaseg: iteration \d: the decoded numbers are not those"):
        list(open_run(path).walk())


def test_a_thread_that_flushes_subnormals_still_writes_exactly_and_says_that_it_cannot_read(tmp_path):
    walk = [w * np.float32(1e-38) for w in random_walk(300, 6)]
    points = [{"a.weight": w} for w in walk]
    described = manifest([tensor("a.weight", (300,))], segment_length=8)
    normal = write(tmp_path / "normal", described, [{"a.weight": w} for w in random_walk(300, 6)])
    torch.set_flush_denormal(True)
    try:
        flushed = write(tmp_path / "flushed", described, points)
        with pytest.raises(NumericalError, match="set_flush_denormal"):
            list(open_run(normal).walk())
    finally:
        torch.set_flush_denormal(False)
    read_back(flushed, points)
