"""A run folder has one writer at a time, and a run that was closed says where it ends."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from trajectory.made_runs import manifest, random_walk, same_bits, tensor, write

import lca_analysis as lca
from lca_analysis.errors import ArgumentError, CorruptError, NotFoundError
from lca_analysis.trajectory import RunWriter, cautions, open_run, verify

DESCRIBED = manifest([tensor("a.weight", (300,))])
POINTS = [{"a.weight": flat} for flat in random_walk(300, 12)]


def test_a_second_writer_is_refused_and_changes_nothing(tmp_path):
    writer = RunWriter.create(tmp_path / "run", DESCRIBED)
    writer.append(0, POINTS[0])
    with pytest.raises(ArgumentError, match="run is being written by another recorder"):
        RunWriter.create(tmp_path / "run", DESCRIBED, overwrite=True)
    with pytest.raises(ArgumentError, match="run is being written by another recorder"):
        RunWriter.resume(tmp_path / "run")
    writer.append(1, POINTS[1])
    writer.close()
    assert open_run(tmp_path / "run").complete
    assert same_bits(open_run(tmp_path / "run").weights(1)["a.weight"], POINTS[1]["a.weight"])
    resumed = RunWriter.resume(tmp_path / "run")
    with pytest.raises(ArgumentError, match="being written"):
        RunWriter.resume(tmp_path / "run")
    resumed.close(complete=False)
    RunWriter.create(tmp_path / "run", DESCRIBED, overwrite=True).close()


def test_a_second_recorder_is_refused(tmp_path):
    model = torch.nn.Linear(2, 1)
    with lca.Recorder(tmp_path / "run", model):
        for arguments in ({"overwrite": True}, {"resume": True}):
            with pytest.raises(ArgumentError, match="being written"):
                lca.Recorder(tmp_path / "run", model, **arguments).start()
    lca.Recorder(tmp_path / "run", model, overwrite=True).start().close()


def test_what_fails_to_begin_leaves_no_lock(tmp_path):
    path = write(tmp_path / "run", DESCRIBED, POINTS)
    with pytest.raises(NotFoundError):
        RunWriter.resume(path, 99)
    assert open_run(path).manifest.closed_at == 11
    with pytest.raises(ArgumentError, match="already holds a run"):
        RunWriter.create(path, DESCRIBED)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")
    with pytest.raises(ArgumentError, match="not a run"):
        RunWriter.create(tmp_path / "foreign", DESCRIBED, overwrite=True)
    assert [file.name for file in (tmp_path / "foreign").iterdir()] == ["notes.txt"]
    with pytest.raises(NotFoundError):
        RunWriter.resume(tmp_path / "foreign")
    assert [file.name for file in (tmp_path / "foreign").iterdir()] == ["notes.txt"]
    RunWriter.resume(path, 5).close()


WRITE_AND_WAIT = """
import sys, time
from trajectory.test_locking import DESCRIBED, POINTS, RunWriter
writer = RunWriter.create(sys.argv[1], DESCRIBED)
writer.append(0, POINTS[0])
print("going", flush=True)
time.sleep(600)
"""


def test_the_lock_of_a_killed_process_does_not_block(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITE_AND_WAIT, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"going\n"
        with pytest.raises(ArgumentError, match="being written"):
            RunWriter.resume(tmp_path / "run")
        process.send_signal(signal.SIGKILL)
    writer = RunWriter.resume(tmp_path / "run")
    writer.append(1, POINTS[1])
    writer.close()
    assert open_run(tmp_path / "run").iterations.tolist() == [0, 1]


@pytest.mark.parametrize("url", ["memory://there/run", "s3://bucket/run"])
def test_urls_are_not_written_to(url):
    for writing in (lambda: RunWriter.create(url, DESCRIBED), lambda: RunWriter.resume(url)):
        with pytest.raises(ArgumentError, match="local folders"):
            writing()


def last_segment(path):
    return max((path / "segments").iterdir())


def test_a_closed_run_whose_end_is_cut_off_is_told_from_one_that_was_killed(tmp_path):
    path = write(tmp_path / "run", DESCRIBED, POINTS)
    data, ends = last_segment(path).read_bytes(), [entry.end for entry in open_run(path).segments[-1].frames]
    for size in (len(data) - 1, ends[-1], ends[-2], ends[-2] + 5, 3):
        last_segment(path).write_bytes(data[:size])
        run, report = open_run(path), verify(path)
        kept = 8 + sum(end <= size for end in ends)
        assert (len(run.iterations), run.complete) == (kept, False)
        assert report.problems == (run.cut_off,)
        assert f"closed at iteration 11, but its segments end at {kept - 1}" in run.cut_off
        assert cautions(run)[0] == run.cut_off
    last_segment(path).unlink()
    assert not verify(path).ok
    last_segment(path).with_name("000002.lcaseg").write_bytes(data)
    assert verify(path).ok


def test_a_killed_run_has_no_end_that_could_be_missing(tmp_path):
    writer = RunWriter.create(tmp_path / "run", DESCRIBED)
    for iteration in range(6):
        writer.append(iteration, POINTS[iteration])
    run = open_run(tmp_path / "run")
    assert (run.complete, run.cut_off, verify(tmp_path / "run").ok) == (False, None, True)
    assert "did not close" in verify(tmp_path / "run").notes[-1]
    writer.close()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["closed_at"] == 5


def test_resuming_takes_the_end_back_before_it_is_moved(tmp_path):
    path = write(tmp_path / "run", DESCRIBED, POINTS)
    writer = RunWriter.resume(path, 6)
    assert json.loads((path / "run.json").read_text())["closed_at"] is None
    writer.append(7, {"a.weight": np.zeros(300, np.float32)})
    writer.close()
    run = open_run(path)
    assert (run.manifest.closed_at, run.complete, run.cut_off) == (7, True, None)
    data = bytearray(last_segment(path).read_bytes())
    data[-60] ^= 1  # the end mark, or the last point
    last_segment(path).write_bytes(data)
    with pytest.raises(CorruptError):
        RunWriter.resume(path)
    assert json.loads((path / "run.json").read_text())["closed_at"] == 7
