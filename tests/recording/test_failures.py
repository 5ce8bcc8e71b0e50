"""A failing disk, a failing training, and an encoder slower than the training."""

import copy
import threading
import time

import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.recording import Recorder, RecorderOptions
from lca_analysis.recording.background import BackgroundWriter
from lca_analysis.recording.copying import Copier
from lca_analysis.trajectory import RunWriter


@pytest.fixture
def failing_disk(monkeypatch):
    """The disk is full behind so many bytes of a segment, within a frame."""
    disk = {"bytes": 5000}

    def write(file, parts):
        data = b"".join(parts)
        file.write(data[: max(0, disk["bytes"] - file.tell())])
        if file.tell() == disk["bytes"]:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("lca_analysis.trajectory.writer.write_all", write)
    return disk


def last_of_some(path):
    """The last iteration of a run that holds the first few."""
    iterations = lca.open_run(path).iterations.tolist()
    assert iterations == list(range(len(iterations)))
    assert 2 < len(iterations) < 40
    return iterations[-1]


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
    with pytest.warns(RuntimeWarning, match="No space") as caught:
        record_and_train(tmp_path / "run", model, training)
    assert len(caught) == 1
    assert f"stopped after iteration {last_of_some(tmp_path / 'run')}:" in str(caught[0].message)
    assert not torch.equal(before, model.hidden.weight)
    assert model.norm.num_batches_tracked == 40
    assert not lca.open_run(tmp_path / "run").complete


def test_with_raise_training_stops(tmp_path, failing_disk, model, training):
    options = RecorderOptions(on_error="raise", queue_points=1)
    with pytest.raises(OSError, match="No space"):
        record_and_train(tmp_path / "run", model, training, options)
    assert model.norm.num_batches_tracked < 40
    last_of_some(tmp_path / "run")


def test_with_raise_a_failure_of_the_last_points_surfaces_on_close(tmp_path, failing_disk):
    recorder = Recorder(
        tmp_path / "run", weights_of(1), options=RecorderOptions(on_error="raise", queue_points=9)
    ).start()
    hold = threading.Event()
    recorder._writer._writer.append_points = _held(recorder._writer._writer.append_points, hold)
    failing_disk["bytes"] = 500
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


def test_a_slow_encoder_holds_the_training_and_bounds_the_memory(tmp_path, monkeypatch):
    original, made = RunWriter.append_points, []

    def slow(self, *arguments):
        time.sleep(0.02)
        original(self, *arguments)

    monkeypatch.setattr(RunWriter, "append_points", slow)
    monkeypatch.setattr(Copier, "new_buffer", _counted(Copier.new_buffer, made))
    with Recorder(tmp_path / "run", weights_of(1), options=RecorderOptions(queue_points=2)) as recorder:
        start = time.perf_counter()
        for _ in range(10):
            recorder.record()
        assert time.perf_counter() - start > 0.02 * 6
    assert len(made) == 3  # two wait, and one is encoded
    assert len(lca.open_run(tmp_path / "run").iterations) == 11


def test_a_fast_encoder_needs_one_buffer(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(Copier, "new_buffer", _counted(Copier.new_buffer, made))
    with Recorder(tmp_path / "run", weights_of(1), options=RecorderOptions(queue_points=5)) as recorder:
        for _ in range(10):
            while made and recorder._writer._free.empty():
                time.sleep(0.001)
            recorder.record()
    assert len(made) == 1


def _counted(function, calls):
    def count(*arguments):
        calls.append(1)
        return function(*arguments)

    return count


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("how", ["thread", "panic"])
def test_training_goes_on_when_the_writing_thread_dies_or_panics(tmp_path, monkeypatch, model, training, how):
    class Panic(BaseException):
        pass

    def die(self, points):
        write(self, [point for point in points if point.iteration < 3])
        if points[-1].iteration >= 3:
            raise Panic("dead")

    write = BackgroundWriter._write
    if how == "thread":
        monkeypatch.setattr(BackgroundWriter, "_write", die)
        monkeypatch.setattr("lca_analysis.recording.background._LOOK", 0.05)
    else:
        append = RunWriter.append_points
        monkeypatch.setattr(
            RunWriter,
            "append_points",
            lambda self, points: [
                die_if(point.iteration == 3, Panic("dead")) or append(self, [point]) for point in points
            ],
        )
    with pytest.warns(RuntimeWarning, match=r"stopped after iteration 2.*[dD]e?ad?") as caught:
        record_and_train(tmp_path / "run", model, training)
    assert len(caught) == 1
    assert model.norm.num_batches_tracked == 40
    run = lca.open_run(tmp_path / "run")
    assert run.iterations.tolist() == [0, 1, 2]
    assert not run.complete


def die_if(condition, error):
    if condition:
        raise error


def test_a_model_that_changes_shape_stops_recording_and_says_which_tensor(tmp_path):
    model = weights_of(1)
    recorder = Recorder(tmp_path / "run", model).start()
    model.weight = nn.Parameter(torch.zeros(5, 3))
    recorder.record()
    with pytest.warns(RuntimeWarning, match=r"iteration 1: weight has become float32 \(5, 3\)"):
        recorder.close()
    assert lca.open_run(tmp_path / "run").iterations.tolist() == [0]


def test_a_tensor_that_is_gone_stops_recording_and_a_replaced_module_does_not(tmp_path):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    recorder = Recorder(tmp_path / "run", model).start()
    model[1] = weights_like(model[1], 7.0)
    recorder.record()
    model[0].bias = None
    recorder.record()
    with pytest.warns(RuntimeWarning, match=r"iteration 2: 0.bias is no longer part"):
        recorder.close()
    run = lca.open_run(tmp_path / "run")
    assert run.iterations.tolist() == [0, 1]
    assert (run.weights(1)["1.weight"] == 7).all()


def weights_like(module, value):
    other = copy.deepcopy(module)
    nn.init.constant_(other.weight, value)
    return other
