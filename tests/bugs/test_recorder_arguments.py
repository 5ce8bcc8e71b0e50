"""What the Recorder accepts, a reader can read: such runs could once be written and never opened."""

import numpy as np
import pytest
import torch

import lca_analysis as lca
from lca_analysis.errors import ArgumentError
from lca_analysis.recording import RecorderOptions


def record(folder, options=None, **arguments):
    model = torch.nn.Linear(2, 1)
    with lca.Recorder(folder, model, options=options, **arguments) as recorder:
        recorder.record()
        recorder.record()
    return lca.open_run(folder)


def test_values_of_like_kinds_are_taken_as_what_they_mean(tmp_path):
    options = RecorderOptions(tags={"seed": 1, "lr": 0.1}, seeds={"torch": np.int64(3)}, name="7")
    run = record(tmp_path / "run", options, every=np.int64(2))
    assert run.manifest.tags == {"seed": "1", "lr": "0.1"}
    assert run.manifest.seeds == {"torch": 3}
    assert run.iterations.tolist() == [0, 2]


@pytest.mark.parametrize("every", [1.5, 2.0, "2", None])
def test_a_fraction_of_an_iteration_is_refused(tmp_path, every):
    with pytest.raises(ArgumentError, match="every must be a whole number"):
        record(tmp_path / "run", every=every)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options", [RecorderOptions(seeds={"torch": "3"}), RecorderOptions(segment_length=2.5)], ids=["seed", "segment"]
)
def test_other_numbers_must_be_whole_too(tmp_path, options):
    with pytest.raises(ArgumentError, match="must be a whole number"):
        record(tmp_path / "run", options)


def test_a_problem_must_be_one(tmp_path):
    with pytest.raises(ArgumentError, match="not int"):
        record(tmp_path / "run", problem=3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((torch.nn.Linear(2, 1).state_dict(), None), "model must be a torch.nn.Module, not OrderedDict"),
        ((torch.nn.Linear(2, 1), [1, 2]), "follows one optimizer.*record"),
        ((torch.nn.Linear(2, 1), 0.1), "optimizer must be a torch.optim.Optimizer, not float"),
        ((torch.nn.Linear(2, 1, device="meta"), None), "'weight' is on the meta device"),
    ],
)
def test_what_is_no_model_or_optimizer_is_refused(tmp_path, arguments, words):
    with pytest.raises(ArgumentError, match=words):
        lca.Recorder(tmp_path / "run", *arguments)


def test_what_is_no_scaler_is_refused(tmp_path):
    model = torch.nn.Linear(2, 1)
    with pytest.raises(ArgumentError, match=r"scaler must be a torch\.amp\.GradScaler, not int"):
        lca.Recorder(tmp_path / "run", model, torch.optim.SGD(model.parameters(), 0.1), scaler=3)


@pytest.mark.parametrize("call", [lambda r: r.log(loss=1.0), lambda r: r.flush(), lambda r: r.close()])
def test_a_recorder_that_was_never_started_says_so(tmp_path, call):
    recorder = lca.Recorder(tmp_path / "run", torch.nn.Linear(2, 1))
    with pytest.raises(ArgumentError, match="never started: use it in a with-block"):
        call(recorder)


def test_an_optimizer_of_another_model_is_pointed_out(tmp_path):
    model, other = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    recorder = lca.Recorder(tmp_path / "run", model, torch.optim.SGD(other.parameters(), 0.1))
    with pytest.warns(UserWarning, match="none of the optimizer's parameters is one of the model's"):
        recorder.start()
    recorder.close()


def test_parameters_that_join_in_training_are_pointed_out_once(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with lca.Recorder(tmp_path / "run", model, optimizer):
        optimizer.step()
        model.append(torch.nn.Linear(1, 1))
        optimizer.add_param_group({"params": list(model[1].parameters())})
        with pytest.warns(UserWarning, match="parameter group 1, added after iteration 1, has 2 parameters"):
            optimizer.step()
        optimizer.step()  # a second warning would be an error here
    assert lca.open_run(tmp_path / "run").iterations.tolist() == [0, 1, 2, 3]
