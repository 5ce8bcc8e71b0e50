"""The same bytes, whatever the interruptions and the number of workers."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import lca_analysis as lca
from lca_analysis.allocation import execution
from lca_analysis.errors import MismatchError
from lca_analysis.recording import Recorder
from lca_analysis.trajectory import RunWriter

SETTINGS = {"range_length": 3, "elements": True}


@pytest.fixture(scope="module")
def reference(small, mlp_run, tmp_path_factory):
    """The store of an undisturbed computation."""
    store = tmp_path_factory.mktemp("reference") / "store"
    summary = lca.compute(mlp_run.path, store, **SETTINGS)
    assert (summary.computed, summary.reused) == (8, 0)
    return store


def test_computing_again_does_nothing(small, mlp_run, reference):
    before = small.snapshot(reference)
    changed = {file: file.stat().st_mtime_ns for file in reference.rglob("*.parquet")}
    summary = lca.compute(mlp_run.path, reference, **SETTINGS)
    assert summary.did_nothing
    assert (summary.computed, summary.reused) == (0, 8)
    assert small.snapshot(reference) == before
    assert {file: file.stat().st_mtime_ns for file in reference.rglob("*.parquet")} == changed


def test_working_files_do_not_grow_with_time(small, mlp_run, reference):
    working = sorted(file.name for file in (reference / "_work" / "run=mlp" / "split=train").iterdir())
    # 11 steps in ranges of 3: three full ranges joined, the last one waits for more steps.
    assert working == ["accumulators-part-0000000009-0000000011.sums", "merged-0000000003.sums", "settings.json"]


class Stop(Exception):
    """Ends a computation in a test."""


@pytest.mark.parametrize("exception", [Stop, KeyboardInterrupt])
@pytest.mark.parametrize("steps", [1, 3, 4, 10, 14, 21])
def test_an_interruption_anywhere_costs_a_range_at_most(
    small, mlp_run, reference, tmp_path, monkeypatch, steps, exception
):
    original, seen = execution.compute_range, []

    def stopping(job, problem, on_step, *rest):
        def step():
            seen.append(job)
            if len(seen) == steps:
                raise exception
            on_step()

        original(job, problem, step, *rest)

    monkeypatch.setattr(execution, "compute_range", stopping)
    with pytest.raises(exception):
        lca.compute(mlp_run.path, tmp_path / "store", **SETTINGS)
    monkeypatch.undo()
    summary = lca.compute(mlp_run.path, tmp_path / "store", **SETTINGS)
    kept = len({job.part + job.split for job in seen}) - 1
    assert (summary.reused, summary.computed) == (kept, 8 - kept)
    assert small.snapshot(tmp_path / "store") == small.snapshot(reference)


@pytest.mark.parametrize("written", [1, 4, 6, 9, 17, 23, 40])
def test_an_interruption_between_any_two_files(small, mlp_run, reference, tmp_path, monkeypatch, written):
    original, count = os.replace, []

    def failing(temporary, file):
        count.append(file)
        if len(count) == written:
            raise Stop
        original(temporary, file)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(Stop):
        lca.compute(mlp_run.path, tmp_path / "store", **SETTINGS)
    monkeypatch.undo()
    lca.compute(mlp_run.path, tmp_path / "store", **SETTINGS)
    assert small.snapshot(tmp_path / "store") == small.snapshot(reference)


KILLED = """
import os, signal, sys
import lca_analysis as lca
from lca_analysis.allocation import execution

original, seen = execution.compute_range, []


def killing(job, problem, on_step, *rest):
    def step():
        seen.append(job)
        if len(seen) == 8:
            os.kill(os.getpid(), signal.SIGKILL)

    original(job, problem, step, *rest)


execution.compute_range = killing
lca.compute(sys.argv[1], sys.argv[2], range_length=3, elements=True)
"""


def test_a_killed_process(small, mlp_run, reference, tmp_path):
    command = [sys.executable, "-c", KILLED, str(mlp_run.path), str(tmp_path / "store")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    stray = tmp_path / "store" / "layers" / "run=mlp" / "split=train" / "_part-half.tmp"
    stray.write_bytes(b"what a killed process leaves behind")
    summary = lca.compute(mlp_run.path, tmp_path / "store", **SETTINGS)
    assert (summary.reused, summary.computed) == (2, 6)
    assert small.snapshot(tmp_path / "store") == small.snapshot(reference)


def test_two_processes(small, mlp_run, reference, tmp_path):
    summary = lca.compute(mlp_run.path, tmp_path / "store", workers=2, **SETTINGS)
    assert summary.computed == 8
    assert small.snapshot(tmp_path / "store") == small.snapshot(reference)


def test_a_given_executor(small, mlp_run, reference, tmp_path):
    with ThreadPoolExecutor(3) as executor:
        lca.compute(mlp_run.path, tmp_path / "store", executor=executor, **SETTINGS)
    assert small.snapshot(tmp_path / "store") == small.snapshot(reference)


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor(1)])
def test_ranges_are_joined_on_the_way(small, mlp_run, tmp_path, monkeypatch, executor):
    original, waiting = execution.SplitWork.finish, []

    def finish(work, store):
        folder = store.work(work.jobs[0].name, work.jobs[0].split)
        waiting.append(len(list(folder.glob("accumulators-*.sums"))))
        original(work, store)

    monkeypatch.setattr(execution.SplitWork, "finish", finish)
    lca.compute(mlp_run.path, tmp_path / "store", executor=executor, **SETTINGS)
    assert waiting == [1, 1], "only the last, shorter range of each split waits"


def test_splits_one_after_the_other(small, mlp_run, reference, tmp_path):
    for split in ("validation", "train"):
        lca.compute(mlp_run.path, tmp_path / "store", splits=split, **SETTINGS)
    assert small.snapshot(tmp_path / "store") == small.snapshot(reference)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tolerance": 1e-5}, "tolerance = 0.001, not 1e-05"),
        ({"rule": "simpson"}, "rule = adaptive, not simpson"),
        ({"range_length": 4}, "range_length"),
        ({"elements": False}, "elements"),
        ({"sample_seed": 1}, "sample_seed"),
    ],
)
def test_other_settings_are_refused(small, mlp_run, reference, changed, words):
    before = small.snapshot(reference)
    with pytest.raises(MismatchError, match=f"{words}.*use another store, or overwrite"):
        lca.compute(mlp_run.path, reference, **{**SETTINGS, **changed})
    assert small.snapshot(reference) == before


def test_overwriting(small, mlp_run, reference, tmp_path):
    lca.compute(mlp_run.path, tmp_path / "store", splits="train", rule="simpson", range_length=2)
    lca.compute(mlp_run.path, tmp_path / "store", overwrite=True, **SETTINGS)
    assert small.snapshot(tmp_path / "store") == small.snapshot(reference)


def test_another_run_of_the_same_name(small, mlp_run, tmp_path):
    problem = small.build("conv")
    other = small.record(problem, tmp_path / "mlp", iterations=2)
    lca.compute(other.path, tmp_path / "store")
    with pytest.raises(MismatchError, match="another run named 'mlp'"):
        lca.compute(mlp_run.path, tmp_path / "store")
    lca.compute(mlp_run.path, tmp_path / "store", splits="train", overwrite=True)
    assert lca.open_store(tmp_path / "store").splits("mlp") == ["train"]


def test_settings_that_are_gone(small, mlp_run, tmp_path):
    lca.compute(mlp_run.path, tmp_path / "store", splits="train")
    (tmp_path / "store" / "_work" / "run=mlp" / "split=train" / "settings.json").unlink()
    with pytest.raises(MismatchError, match="without the settings"):
        lca.compute(mlp_run.path, tmp_path / "store", splits="train")


def copy_run(run, path, points):
    """Copy the first points of a run, as a training that is still going on would have left them."""
    writer = RunWriter.create(path, run.manifest)
    for number, point in enumerate(run.walk()):
        if number < points:
            writer.append(point.iteration, point.weights, point.hyperparameters, point.scalars)
    writer.close()


@pytest.mark.parametrize("points", [2, 6, 7, 8, 11])
def test_a_run_that_grows_is_gone_on_with(small, mlp_run, reference, tmp_path, points):
    copy_run(mlp_run, tmp_path / "early" / "mlp", points)
    copy_run(mlp_run, tmp_path / "late" / "mlp", 12)
    lca.compute(tmp_path / "early" / "mlp", tmp_path / "store", **SETTINGS)
    summary = lca.compute(tmp_path / "late" / "mlp", tmp_path / "store", **SETTINGS)
    assert summary.reused == 2 * ((points - 1) // 3)
    assert small.snapshot(tmp_path / "store") == small.snapshot(reference)


def test_a_run_that_shrank_is_refused(small, mlp_run, reference, tmp_path):
    copy_run(mlp_run, tmp_path / "mlp", 5)
    with pytest.raises(MismatchError, match="iterations = 11, not 4"):
        lca.compute(tmp_path / "mlp", reference, **SETTINGS)


def test_processes_that_build_other_data_are_refused(small, tmp_path):
    problem = small.build("noisy_data")
    with Recorder(tmp_path / "run", problem.model, problem=problem) as recorder:
        recorder.record()
        recorder.record()
    with pytest.raises(MismatchError, match="other data in a worker"):
        lca.compute(tmp_path / "run", tmp_path / "store", problem, workers=2, range_length=1)
