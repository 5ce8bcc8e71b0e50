"""A run that was interrupted, finished, or went too far is appended to, and is then as if nothing had happened."""

import shutil

import numpy as np
import pytest
from trajectory.made_runs import manifest, random_walk, read_back, tensor

from lca_analysis.errors import ArgumentError, CorruptError, NotFoundError
from lca_analysis.trajectory import RunWriter, open_run, verify
from lca_analysis.trajectory import resuming as resuming_module

TENSORS = [tensor("a.weight", (40,)), tensor("count", (), "int64", "buffer")]
POINTS = [{"a.weight": w, "count": np.array(t)} for t, w in enumerate(random_walk(40, 20, seed=2))]
GROUPS = [[{"lr": 0.1 if t < 6 else 0.01}] for t in range(20)]


def write(path, stop, complete=True):
    """The first points in segments of four."""
    writer = RunWriter.create(path, manifest(TENSORS))
    extend(writer, range(stop), complete)
    return path


def extend(writer, iterations, complete=True):
    for t in iterations:
        writer.append(t, POINTS[t], GROUPS[t], {"loss": float(t)})
    writer.close(complete)


def holds(path, stop):
    """Check that a run is the undisturbed one up to a point: weights, hyper-parameters, scalars."""
    read_back(path, POINTS[:stop])
    run = open_run(path)
    assert [point.hyperparameters for point in run.walk()] == GROUPS[:stop]
    assert [point.scalars for point in run.walk()] == [{"loss": float(t)} for t in range(stop)]
    assert verify(path).ok


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("stop", [1, 4, 5, 8, 10])
def test_a_run_goes_on_where_it_ended(tmp_path, stop, complete):
    path = write(tmp_path / "run", stop, complete)
    writer = RunWriter.resume(path)
    assert (writer.iteration, writer.manifest) == (stop - 1, manifest(TENSORS))
    assert not open_run(path).complete
    extend(writer, range(stop, 20))
    holds(path, 20)
    assert open_run(path).complete


@pytest.mark.parametrize("last", range(10))
def test_points_behind_the_chosen_iteration_are_dropped(tmp_path, last):
    path = write(tmp_path / "run", 10)
    writer = RunWriter.resume(path, last)
    assert writer.iteration == last
    holds(path, last + 1)
    extend(writer, range(last + 1, 20))
    holds(path, 20)


def test_a_run_without_points_goes_on_from_the_beginning(tmp_path):
    path = write(tmp_path / "run", 0)
    (path / "segments" / "000000.lcaseg").write_bytes(b"LCASEG")
    writer = RunWriter.resume(path)
    assert writer.iteration is None
    extend(writer, range(20))
    holds(path, 20)


def test_what_was_never_committed_is_cut_off(tmp_path):
    whole = write(tmp_path / "whole", 10)
    for number, first in ((0, 0), (1, 4), (2, 8)):
        data = (whole / "segments" / f"{number:06d}.lcaseg").read_bytes()
        for size in range(0, len(data), 61):
            path = shutil.copytree(whole, tmp_path / f"{number}-{size}")
            for later in range(number + 1, 3):
                (path / "segments" / f"{later:06d}.lcaseg").unlink()
            (path / "segments" / f"{number:06d}.lcaseg").write_bytes(data[:size])
            writer = RunWriter.resume(path)
            last = -1 if writer.iteration is None else writer.iteration
            assert first - 1 <= last < first + 4
            assert sum(segment.torn for segment in open_run(path).segments) == 0
            extend(writer, range(last + 1, 12))
            holds(path, 12)


def test_resuming_and_closing_leaves_the_run_as_it_was(tmp_path):
    path = write(tmp_path / "run", 8)
    before = {file.name: file.read_bytes() for file in (path / "segments").iterdir()}
    RunWriter.resume(path).close()
    assert {file.name: file.read_bytes() for file in (path / "segments").iterdir()} == before
    RunWriter.resume(path).close(complete=False)
    assert not open_run(path).complete
    holds(path, 8)


def test_hyperparameters_that_are_not_given_stay_those_of_the_last_kept_point(tmp_path):
    path = write(tmp_path / "run", 10)
    writer = RunWriter.resume(path, 3)
    writer.append(4, POINTS[4])
    writer.close()
    assert next(iter(open_run(path).walk(4))).hyperparameters == [{"lr": 0.1}]


def test_a_run_can_be_resumed_again_and_again(tmp_path):
    path = write(tmp_path / "run", 1)
    for t in range(1, 20):
        extend(RunWriter.resume(path), [t], complete=t % 2 == 0)
    assert len(open_run(path).segments) == 20
    holds(path, 20)


def test_points_before_the_last_are_refused(tmp_path):
    writer = RunWriter.resume(write(tmp_path / "run", 10), 6)
    with pytest.raises(ArgumentError, match="iteration 6 does not come after 6"):
        writer.append(6, POINTS[6])
    writer.close()


def test_an_iteration_that_was_not_recorded_changes_nothing(tmp_path):
    path = write(tmp_path / "run", 10)
    with pytest.raises(NotFoundError, match="no point at iteration 11; it holds 10 points"):
        RunWriter.resume(path, 11)
    with pytest.raises(NotFoundError, match="does not exist"):
        RunWriter.resume(tmp_path / "nowhere")
    holds(path, 10)
    assert open_run(path).complete


def test_a_damaged_last_point_is_not_built_upon(tmp_path):
    path = write(tmp_path / "run", 10)
    file, entry = path / "segments" / "000002.lcaseg", open_run(path).segments[2].frames[1]
    data = bytearray(file.read_bytes())
    data[entry.end - 10] ^= 1
    file.write_bytes(data)
    with pytest.raises(CorruptError, match=r"000002\.lcaseg: iteration 9.*resume at an iteration before it"):
        RunWriter.resume(path)
    assert file.read_bytes() == bytes(data)
    extend(RunWriter.resume(path, 8), range(9, 12))
    holds(path, 12)


class Interrupted(BaseException):
    """Stands for the death of the process."""


@pytest.mark.parametrize("operations", range(4))
def test_a_run_can_be_read_whenever_resuming_is_interrupted(tmp_path, monkeypatch, operations):
    """Dropping points 3 to 13 removes three files and cuts one; each of the four steps leaves a whole run."""
    path, left = write(tmp_path / "run", 14), [operations]

    def dying(function):
        def step(*arguments, missing_ok=False):
            if missing_ok:  # a temporary name of a file that was written, not one of the four
                return
            if not left[0]:
                raise Interrupted
            left[0] -= 1
            function(*arguments)

        return step

    monkeypatch.setattr(resuming_module.Path, "unlink", dying(resuming_module.Path.unlink))
    monkeypatch.setattr(resuming_module, "_truncate", dying(resuming_module._truncate))
    with pytest.raises(Interrupted):
        RunWriter.resume(path, 2)
    monkeypatch.undo()
    holds(path, [14, 12, 8, 4][operations])
    extend(RunWriter.resume(path, 2), range(3, 20))
    holds(path, 20)
