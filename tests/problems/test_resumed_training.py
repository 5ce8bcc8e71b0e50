"""A training that was stopped and goes on is, to the bit, one that was never stopped."""

import pytest
import torch
from torch import nn

from lca_analysis.errors import CorruptError, MismatchError
from lca_analysis.problems import Intervention, Problem, TrainingSettings, train
from lca_analysis.problems import checkpoint as checkpoints

STEPS = 14
SETTINGS = {
    "momentum and steps": TrainingSettings(STEPS, 5, schedule="step", drops=(6, 11), warmup=3),
    "adam and cosine": TrainingSettings(STEPS, 5, optimizer="adam", learning_rate=0.01, schedule="cosine", seed=3),
    "interventions": TrainingSettings(
        STEPS, 5, interventions=(Intervention("0", delay=3), Intervention("4", freeze_from=9, momentum=0.5))
    ),
}


class Stop(Exception):
    """Ends a training as a kill would."""


def problem(stop_at=None):
    """Make a problem with dropout and running statistics, whose loss fails at its n-th call."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3))
    calls = iter(range(1000))

    def loss(outputs, targets):
        if next(calls) == stop_at:
            raise Stop
        return nn.functional.cross_entropy(outputs, targets, reduction="none")

    return Problem(model, loss, {"train": (torch.randn(23, 4), torch.arange(23) % 3)})


def same_points(run, other):
    """Compare all tensors of all points to the bit."""
    assert run.iterations.tolist() == other.iterations.tolist()
    for iteration in run.iterations.tolist():
        weights, others = run.weights(iteration), other.weights(iteration)
        for name in weights:
            assert weights[name].tobytes() == others[name].tobytes(), (iteration, name)
    assert run.hyperparameters() == other.hyperparameters()


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("stop_at", "every"), [(10, 1), (10, 4), (2, 100)])
def test_a_stopped_training_goes_on_to_the_bit(name, stop_at, every, tmp_path, monkeypatch):
    whole = train(problem(), tmp_path / "whole", SETTINGS[name])
    clock = iter(range(10_000))
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(checkpoints.Checkpoints.__init__, "__defaults__", (every,))
    with pytest.raises(Stop):
        train(problem(stop_at), tmp_path / "run", SETTINGS[name])
    assert (tmp_path / "run" / "training.pt").exists() is (every < stop_at)
    again = problem()
    resumed = train(again, tmp_path / "run", SETTINGS[name], resume=True)
    same_points(resumed, whole)
    assert resumed.complete
    assert not (tmp_path / "run" / "training.pt").exists()


def test_a_complete_run_is_left_as_it_is_and_a_missing_one_begins(tmp_path):
    settings = SETTINGS["interventions"]
    train(problem(), tmp_path / "run", settings, resume=True)
    files = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    train(problem(stop_at=0), tmp_path / "run", settings, resume=True)
    assert files == {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}


def test_other_settings_and_damaged_checkpoints_are_refused(tmp_path):
    settings = SETTINGS["adam and cosine"]
    with pytest.raises(Stop):
        train(problem(4), tmp_path / "run", settings)
    with pytest.raises(MismatchError, match="other settings than it began with"):
        train(problem(), tmp_path / "run", SETTINGS["interventions"], resume=True)
    (tmp_path / "run" / "training.pt").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(CorruptError, match=r"training\.pt cannot be read .* remove it to train from the start"):
        train(problem(), tmp_path / "run", settings, resume=True)
    (tmp_path / "run" / "training.pt").unlink()
    assert train(problem(), tmp_path / "run", settings, resume=True).complete


def test_a_checkpoint_of_an_earlier_run_in_the_folder_is_not_used(tmp_path):
    settings = SETTINGS["adam and cosine"]
    with pytest.raises(Stop):
        train(problem(4), tmp_path / "run", settings)
    torch.save({"run_id": "another", "iteration": 9}, tmp_path / "run" / "training.pt")
    assert train(problem(), tmp_path / "run", settings, resume=True).iterations.tolist() == list(range(STEPS + 1))
