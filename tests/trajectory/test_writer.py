"""What a writer accepts, what it refuses, and what it leaves when the disk fails."""

import errno

import numpy as np
import pytest
from trajectory.made_runs import manifest, read_back, tensor, write

from lca_analysis.errors import ArgumentError, MismatchError
from lca_analysis.trajectory import RunWriter, open_run

TENSORS = [tensor("a.weight", (2, 3)), tensor("a.bias", (2,))]


def point(value):
    return {"a.weight": np.full((2, 3), value, np.float32), "a.bias": np.full(2, -value, np.float32)}


def test_an_existing_folder_is_never_touched_unless_it_is_a_run_to_replace(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(ArgumentError, match="not a run"):
            RunWriter.create(tmp_path / "mine", manifest(TENSORS), overwrite)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    write(tmp_path / "run", manifest(TENSORS), [point(t) for t in range(9)])
    with pytest.raises(ArgumentError, match="already holds a run"):
        RunWriter.create(tmp_path / "run", manifest(TENSORS))
    read_back(tmp_path / "run", [point(t) for t in range(9)])
    RunWriter.create(tmp_path / "run", manifest(TENSORS), overwrite=True).close()
    assert len(open_run(tmp_path / "run").iterations) == 0
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArgumentError, match="is a file"):
        RunWriter.create(tmp_path / "file", manifest(TENSORS))


def test_only_run_json_and_segments_are_written(tmp_path):
    write(tmp_path / "run", manifest(TENSORS), [point(t) for t in range(5)])
    found = sorted(str(file.relative_to(tmp_path / "run")) for file in (tmp_path / "run").rglob("*") if file.is_file())
    assert found == ["run.json", "segments/000000.lcaseg", "segments/000001.lcaseg"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"a.weight": np.zeros((2, 3), np.float32)},
        point(1) | {"b.weight": np.zeros(1, np.float32)},
        point(1) | {"a.bias": np.zeros(1, np.float32)},
        point(1) | {"a.bias": np.zeros(2, np.float64)},
        point(1) | {"a.bias": np.zeros(2, np.int32)},
    ],
)
def test_weights_that_the_manifest_does_not_describe_are_refused_and_nothing_is_lost(tmp_path, wrong):
    writer = RunWriter.create(tmp_path / "run", manifest(TENSORS))
    writer.append(0, point(0))
    with pytest.raises(MismatchError, match=r"iteration 1.*[ab]\.(bias|weight)"):
        writer.append(1, wrong)
    writer.append(1, point(1))
    writer.close()
    read_back(tmp_path / "run", [point(0), point(1)])


@pytest.mark.parametrize("iteration", [3, 2, -1])
def test_iterations_ascend(tmp_path, iteration):
    writer = RunWriter.create(tmp_path / "run", manifest(TENSORS))
    writer.append(3, point(0))
    with pytest.raises(ArgumentError, match="does not come after 3"):
        writer.append(iteration, point(1))
    writer.close()


def test_an_unknown_preset_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ArgumentError, match="small, fast"):
        RunWriter.create(tmp_path / "run", manifest(TENSORS, "tiny"))
    assert not (tmp_path / "run").exists()


def test_a_full_disk_leaves_a_run_up_to_the_point_before_and_a_writer_that_is_done(tmp_path, monkeypatch):
    writer = RunWriter.create(tmp_path / "run", manifest(TENSORS))
    writer.append(0, point(0))
    writer.append(1, point(1))

    def half(file, parts):
        data = b"".join(parts)
        file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("lca_analysis.trajectory.writer.write_all", half)
    with pytest.raises(OSError, match="No space left"):
        writer.append(2, point(2))
    with pytest.raises(ArgumentError, match="closed, or failed"):
        writer.append(3, point(3))
    monkeypatch.undo()
    writer.close()
    assert not open_run(tmp_path / "run").complete
    read_back(tmp_path / "run", [point(0), point(1)])


def test_hyperparameters_changed_in_place_are_seen(tmp_path):
    writer = RunWriter.create(tmp_path / "run", manifest(TENSORS))
    groups = [{"lr": 0.1}]
    for iteration in range(3):
        writer.append(iteration, point(iteration), groups)
        groups[0]["lr"] /= 2
    writer.close()
    assert [rate[0]["lr"] for _, rate in open_run(tmp_path / "run").hyperparameters()] == [0.1, 0.05, 0.025]
