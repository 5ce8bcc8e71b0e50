"""A failing disk, a failing training, and an encoder slower than the training."""

import threading
import time

import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.recording import Recorder, RecorderOptions
from lca_analysis.trajectory import RunWriter


@pytest.fixture
def failing_disk(monkeypatch):
    """The disk is full from iteration 3 on."""
    original = RunWriter._write

    def write(self, frame):
        if self.iteration is not None and self.iteration >= 2:
            raise OSError(28, "No space left on device")
        original(self, frame)

    monkeypatch.setattr(RunWriter, "_write", write)


def weights_of(value):
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.fill_(value)
    return model


def record_and_train(path, model, training, options=None):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(path, model, optimizer, options=options):
        training(model, optimizer, 40)


def test_with_warn_training_goes_on_after_one_warning(tmp_path, failing_disk, model, training):
    before = model.hidden.weight.detach().clone()
    with pytest.warns(RuntimeWarning, match=r"stopped after iteration 2.*No space") as caught:
        record_and_train(tmp_path / "run", model, training)
    assert len(caught) == 1
    assert not torch.equal(before, model.hidden.weight)
    assert model.norm.num_batches_tracked == 40
    run = lca.open_run(tmp_path / "run")
    assert run.iterations.tolist() == [0, 1, 2]
    assert not run.complete


def test_with_raise_training_stops(tmp_path, failing_disk, model, training):
    options = RecorderOptions(on_error="raise", queue_points=1)
    with pytest.raises(OSError, match="No space"):
        record_and_train(tmp_path / "run", model, training, options)
    assert model.norm.num_batches_tracked < 40
    assert lca.open_run(tmp_path / "run").iterations.tolist() == [0, 1, 2]


def test_with_raise_a_failure_of_the_last_points_surfaces_on_close(tmp_path, failing_disk):
    recorder = Recorder(
        tmp_path / "run", weights_of(1), options=RecorderOptions(on_error="raise", queue_points=9)
    ).start()
    hold = threading.Event()
    recorder._writer._writer.append = _held(recorder._writer._writer.append, hold)
    for _ in range(4):
        recorder.record()
    hold.set()
    with pytest.raises(OSError, match="No space"):
        recorder.close()
    recorder.close()


def _held(append, hold):
    def wait(*arguments):
        hold.wait(10)
        append(*arguments)

    return wait


def test_an_exception_in_the_block_closes_the_run_and_leaves_it_incomplete(tmp_path):
    def diverge():
        with Recorder(tmp_path / "run", weights_of(1)) as recorder:
            recorder.record()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        diverge()
    run = lca.open_run(tmp_path / "run")
    assert run.iterations.tolist() == [0, 1]
    assert not run.complete
    assert not any(thread.name == "lca-recorder" for thread in threading.enumerate())


def test_a_slow_encoder_holds_the_training_and_bounds_what_waits(tmp_path, monkeypatch):
    original = RunWriter.append

    def slow(self, *arguments):
        time.sleep(0.02)
        original(self, *arguments)

    monkeypatch.setattr(RunWriter, "append", slow)
    waiting = []
    with Recorder(tmp_path / "run", weights_of(1), options=RecorderOptions(queue_points=2)) as recorder:
        start = time.perf_counter()
        for _ in range(10):
            recorder.record()
            waiting.append(recorder._writer._queue.qsize())
        assert time.perf_counter() - start > 0.02 * 6
    assert max(waiting) <= 2
    assert len(lca.open_run(tmp_path / "run").iterations) == 11


def test_a_model_that_changes_shape_stops_recording_and_says_which_tensor(tmp_path):
    model = weights_of(1)
    recorder = Recorder(tmp_path / "run", model).start()
    model.weight = nn.Parameter(torch.zeros(5, 3))
    recorder.record()
    with pytest.warns(RuntimeWarning, match=r"iteration 1: weight has shape \(5, 3\)"):
        recorder.close()
    assert lca.open_run(tmp_path / "run").iterations.tolist() == [0]
