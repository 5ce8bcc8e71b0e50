"""What becomes of processes: workers end with their parent, two computations exclude each other, disks fill up."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

import lca_analysis as lca
from lca_analysis.allocation.claims import only_computation
from lca_analysis.cli.entry import main
from lca_analysis.errors import MismatchError
from lca_analysis.progress import track

RUN = Path(__file__).parents[2] / "data" / "digits_mlp"
LCA = [sys.executable, "-m", "lca_analysis.cli"]


def children(process):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def is_alive(process):
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def all_end(processes, seconds=20):
    """Wait for processes to end; a process closes its files, and so lets its reader go on, just before it ends."""
    deadline = time.monotonic() + seconds
    while any(map(is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not any(map(is_alive, processes))


def heed_ctrl_c():
    """Undo what a shell does to the background: its processes ignore Ctrl-C, and so would their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def with_workers(tmp_path):
    """Start a computation and wait until its two workers (and the resource tracker) run."""
    # Thousands of pieces a step: the work outlasts the test by minutes, on any machine.
    endless = ["--rule", "paper", "--tolerance", "0", "--max-pieces", "8192"]
    command = [*LCA, "compute", str(RUN), "--store", str(tmp_path / "store"), "--workers", "2", *endless]
    parent = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed_ctrl_c
    )
    deadline = time.monotonic() + 60
    while len(children(parent.pid)) < 3 and parent.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    yield parent, children(parent.pid)
    with suppress(ProcessLookupError):
        os.killpg(parent.pid, signal.SIGKILL)
    parent.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent(with_workers, number):
    parent, workers = with_workers
    assert len(workers) >= 2
    os.kill(parent.pid, number)
    parent.communicate(timeout=30)  # hangs while a worker holds the pipe
    assert all_end(workers)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_with_workers_is_one_line(with_workers):
    parent, workers = with_workers
    os.killpg(parent.pid, signal.SIGINT)
    _, shown = parent.communicate(timeout=30)
    assert parent.returncode == 130
    assert "Traceback" not in shown
    assert "interrupted" in shown
    assert all_end(workers)


def test_a_bar_takes_no_semaphore_that_an_ended_worker_would_leave_behind():
    with track(1, "label", progress=False) as bar:
        assert isinstance(bar.get_lock(), type(threading.RLock()))


def test_a_second_computation_of_a_run_is_refused(tmp_path):
    store = lca.open_store(tmp_path / "store", create=True)
    with only_computation(store, "digits_mlp"), pytest.raises(MismatchError, match="under way"):
        lca.compute(RUN, store.path, progress=False)
    assert lca.compute(RUN, store.path, splits="validation", progress=False).computed


def test_a_disk_that_fails_is_no_bug(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("lca_analysis.store.store.write_atomic", full_disk)
    with pytest.raises(SystemExit) as ended:
        main(["compute", str(RUN), "--store", str(tmp_path / "store"), "--workers", "1"])
    assert ended.value.code == 9
    assert capsys.readouterr().err.strip() == (
        "lca: error: No space left on device; make room, and run the same command again"
    )


def full_disk(*_):
    raise OSError(28, "No space left on device")


def test_interrupted_training_says_what_is_true(tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "run.json").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("lca_analysis.train", interrupted, raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["train", "digits_mlp", str(tmp_path / "run")])
    assert ended.value.code == 130
    assert "--resume goes on with it" in capsys.readouterr().err


def test_a_chunk_that_batch_norm_cannot_take_is_refused_before_the_store_is_touched(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    data = torch.arange(10.0).reshape(5, 2), torch.arange(5) % 3
    problem = lca.Problem(model, torch.nn.CrossEntropyLoss(reduction="none"), {"train": data}, batch_size=4)
    with lca.Recorder(tmp_path / "run", model) as recorder:
        recorder.record()
    with pytest.raises(MismatchError, match="choose another batch_size"):
        lca.compute(tmp_path / "run", tmp_path / "store", problem)
    assert not (tmp_path / "store").exists()
