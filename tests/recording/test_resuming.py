"""A training that was stopped and goes on from a checkpoint continues its run."""

import signal
import subprocess
import sys
from contextlib import closing

import pytest
import torch
from recording import resumable
from torch import nn

import lca_analysis as lca
from lca_analysis.errors import ArgumentError, MismatchError
from lca_analysis.recording import Recorder, RecorderOptions
from lca_analysis.trajectory import RunWriter, verify

OPTIONS = RecorderOptions(segment_length=7)


def points(path):
    return {point.iteration: point for point in lca.open_run(path).walk()}


def assert_equal_points(found, expected):
    assert found.keys() == expected.keys()
    for iteration, point in expected.items():
        other = found[iteration]
        assert other.hyperparameters == point.hyperparameters, iteration
        assert other.scalars == point.scalars, iteration
        for name, array in point.weights.items():
            assert other.weights[name].tobytes() == array.tobytes(), (iteration, name)


@pytest.fixture
def recorded(tmp_path):
    """A run of 12 steps, and the checkpoint of step 10 beside it."""
    resumable.train(tmp_path, 12)
    return tmp_path


def loaded(folder):
    """Model and optimizer as the checkpoint has them."""
    model, optimizer, _ = resumable.parts()
    saved = torch.load(folder / "checkpoint.pt", weights_only=True)
    model.load_state_dict(saved["Sequential"])
    optimizer.load_state_dict(saved["Adam"])
    return model, optimizer


def test_killed_and_resumed_is_as_if_nothing_had_happened(tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    undisturbed.mkdir()
    disturbed.mkdir()
    resumable.train(undisturbed, 30)
    command = [sys.executable, resumable.__file__, str(disturbed), "19"]
    killed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    run = lca.open_run(disturbed / "run")
    assert not run.complete
    assert 15 <= run.iterations[-1] <= 19  # the checkpoint is of 15, behind a flush; what waited later is gone
    identity = run.manifest.run_id
    resumable.train(disturbed, 30)
    run = lca.open_run(disturbed / "run")
    assert run.complete
    assert run.manifest.run_id == identity
    assert run.iterations.tolist() == list(range(31))
    assert_equal_points(points(disturbed / "run"), points(undisturbed / "run"))
    assert verify(disturbed / "run").ok


def test_without_an_iteration_it_goes_on_at_the_last_point(tmp_path, model, training):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        with Recorder(tmp_path / "run", model, optimizer, resume=True) as recorder:
            training(model, optimizer, 4)
    assert recorder.iteration == 12
    assert lca.open_run(tmp_path / "run").iterations.tolist() == list(range(13))
    assert verify(tmp_path / "run").ok


def test_a_new_run_may_count_from_a_later_iteration(tmp_path, model):
    with Recorder(tmp_path / "run", model, resume=True, iteration=40) as recorder:
        recorder.record()
    assert lca.open_run(tmp_path / "run").iterations.tolist() == [40, 41]


@pytest.mark.parametrize("start", [13, 7, 10, 0])
def test_every_kth_step_goes_on_at_any_step(tmp_path, model, start):
    with Recorder(tmp_path / "run", model, every=5) as recorder:
        for _ in range(12):
            recorder.record()
    resumed = Recorder(tmp_path / "run", model, every=5, resume=True, iteration=start)
    if start % 5:
        with pytest.warns(UserWarning, match=f"no point at iteration {start}: the weights cannot be compared"):
            resumed.start()
    else:
        resumed.start()
    with closing(resumed):
        for _ in range(16 - start):
            resumed.record()
    assert lca.open_run(tmp_path / "run").iterations.tolist() == [0, 5, 10, 15]


def test_before_the_first_window_the_run_begins_anew_with_its_identity(tmp_path, model):
    def recorder(**more):
        return Recorder(tmp_path / "run", model, windows=[(3, 5), (8, 9)], **more)

    with recorder() as first:
        for _ in range(9):
            first.record()
    identity = lca.open_run(tmp_path / "run").manifest.run_id
    with pytest.warns(UserWarning, match="cannot be compared"):
        second = recorder(resume=True, iteration=1).start()
    with closing(second):
        for _ in range(3):
            second.record()
    run = lca.open_run(tmp_path / "run")
    assert (run.iterations.tolist(), run.manifest.run_id) == ([3, 4], identity)


def test_points_that_the_kill_has_lost_become_one_long_step(recorded):
    RunWriter.resume(recorded / "run", 8).close(complete=False)
    model, optimizer = loaded(recorded)
    with (
        pytest.warns(UserWarning, match=r"no point at iteration 10.*its last one before is at 8.*one long step"),
        Recorder(recorded / "run", model, optimizer, resume=True, iteration=10, options=OPTIONS),
    ):
        pass
    run = lca.open_run(recorded / "run")
    assert run.iterations.tolist() == [*range(9), 10]
    assert (run.weights(10)["0.weight"] == model[0].weight.detach().numpy()).all()


def test_other_weights_are_refused_and_nothing_is_changed(recorded):
    before = points(recorded / "run")
    model, optimizer = loaded(recorded)
    message = r"32 of 32 elements of '0.weight'.*holds at iteration 12.*pass iteration=.*last recorded iteration, 12"
    with pytest.raises(MismatchError, match=message):
        Recorder(recorded / "run", model, optimizer, resume=True, options=OPTIONS).start()
    with torch.no_grad():
        model[3].bias[1] = torch.nextafter(model[3].bias[1], torch.tensor(9.0))
    with pytest.raises(MismatchError, match=r"1 of 2 elements of '3.bias'.*at iteration 10"):
        Recorder(recorded / "run", model, optimizer, resume=True, iteration=10, options=OPTIONS).start()
    assert_equal_points(points(recorded / "run"), before)
    assert lca.open_run(recorded / "run").complete


def test_a_buffer_that_moved_on_is_said_and_no_error(recorded):
    model, optimizer = loaded(recorded)
    model[1](torch.ones(3, 8))
    with pytest.warns(UserWarning, match="goes on with those of the model") as caught:
        Recorder(recorded / "run", model, optimizer, resume=True, iteration=10, options=OPTIONS).start().close()
    assert [str(warning.message).split("'")[1] for warning in caught] == [
        "1.running_mean", "1.running_var", "1.num_batches_tracked",
    ]  # fmt: skip


def test_of_rounded_weights_only_the_exact_ones_are_compared(tmp_path, model, training):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def recorder():
        return Recorder(tmp_path / "run", model, optimizer, error_fraction=0.1, resume=True, iteration=iteration)

    iteration = 0
    with recorder():
        training(model, optimizer, 5)
    iteration = 5
    with pytest.warns(UserWarning, match="rounded weights"), recorder():
        training(model, optimizer, 2)
    assert lca.open_run(tmp_path / "run").iterations.tolist() == list(range(8))
    iteration = 7
    with torch.no_grad():
        model.hidden.bias += 1
    with pytest.warns(UserWarning, match="rounded"), pytest.raises(MismatchError, match=r"6 of 6.*hidden.bias"):
        recorder().start()


def regrouped(model):
    return torch.optim.Adam([{"params": list(layer.parameters())} for layer in (model[0], model[1], model[3])])


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (lambda m: (m.append(nn.Linear(2, 1)), None), {}, "tensor '4.weight', which the run has not"),
        (lambda m: (m[:3], None), {}, "no tensor '3.weight', which the run has"),
        (lambda m: (m.double(), None), {}, r"'0.weight' is a parameter of float64 \(8, 4\), and .* float32 \(8, 4\)"),
        (lambda m: (m, None), {}, "the optimizer is none, and in the run Adam"),
        (lambda m: (m, torch.optim.SGD(m.parameters())), {}, "the optimizer is SGD, and in the run Adam"),
        (lambda m: (m, regrouped(m)), {}, "parameter group 0 of the optimizer is 0.weight, 0.bias, and in the run 0.w"),
        (lambda m: (m, torch.optim.Adam(m.parameters())), {"every": 2}, "every is 2, and in the run 1"),
        (lambda m: (m, torch.optim.Adam(m.parameters())), {"preset": "fast"}, "preset is fast, and in the run small"),
        (lambda m: (m, torch.optim.Adam(m.parameters())), {"problem": "a.py:b"}, "the problem is .*a.py:b.*run None"),
    ],
)
def test_another_training_is_refused_with_the_first_difference(recorded, make, arguments, message):
    model, optimizer = make(resumable.parts()[0])
    with pytest.raises(MismatchError, match=message):
        Recorder(recorded / "run", model, optimizer, resume=True, options=OPTIONS, **arguments).start()
    assert lca.open_run(recorded / "run").iterations.tolist() == list(range(13))


def test_groups_that_were_added_later_are_known(tmp_path, model, training):
    optimizer = torch.optim.SGD(model.hidden.parameters(), lr=0.1)
    with Recorder(tmp_path / "run", model, optimizer):
        training(model, optimizer, 2)
        optimizer.add_param_group({"params": [model.embed.weight], "lr": 0.2})
        training(model, optimizer, 2)
    with Recorder(tmp_path / "run", model, optimizer, resume=True):
        training(model, optimizer, 1)
    run = lca.open_run(tmp_path / "run")
    assert [len(groups) for _, groups in run.hyperparameters()] == [1, 2]
    assert next(run.walk(5)).hyperparameters[1]["members"] == ["embed.weight"]
    alone = torch.optim.SGD(model.hidden.parameters(), lr=0.1)
    with pytest.raises(MismatchError, match="parameter group 1 of the optimizer is no such group"):
        Recorder(tmp_path / "run", model, alone, resume=True).start()


@pytest.mark.parametrize(
    "arguments", [{"overwrite": True, "resume": True}, {"iteration": -1}, {"resume": True, "iteration": 1.5}]
)
def test_arguments_that_cannot_be_used(tmp_path, model, arguments):
    with pytest.raises(ArgumentError):
        Recorder(tmp_path / "run", model, **arguments)


def test_what_was_flushed_is_on_the_disk(tmp_path, model):
    with Recorder(tmp_path / "run", model, options=RecorderOptions(queue_points=50)) as recorder:
        for _ in range(20):
            recorder.record()
        recorder.flush()
        assert lca.open_run(tmp_path / "run").iterations[-1] == 20
