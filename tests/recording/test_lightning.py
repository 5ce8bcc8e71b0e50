"""Recording in Lightning's own training loop."""

import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import lca_analysis as lca
from lca_analysis.errors import ArgumentError
from lca_analysis.trajectory import verify

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")


@pytest.fixture
def lit():
    from recording import lightning_training

    return lightning_training


@pytest.fixture(autouse=True)
def interrupts():
    """Lightning ignores interrupts for good once it has met one."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def assert_points(run, expected, prefix=""):
    found = list(run.walk())
    assert len(found) == len(expected)
    for point, weights in zip(found, expected, strict=True):
        for name, array in point.weights.items():
            assert array.tobytes() == weights[prefix + name].tobytes(), (point.iteration, name)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_every_step_is_recorded_and_training_is_the_same(lit, tmp_path, accumulate):
    plain, module = lit.Classifier(), lit.Classifier()
    lit.fit(plain, tmp_path, accumulate_grad_batches=accumulate)
    started = lit.copies(module)
    recorder = lit.LightningRecorder(tmp_path / "run")
    lit.fit(module, tmp_path, recorder, accumulate_grad_batches=accumulate)
    run = lca.open_run(tmp_path / "run")
    assert run.complete
    assert recorder.recorder is None
    assert run.iterations.tolist() == list(range(12 // accumulate + 1))
    assert_points(run, [started, *plain.seen])
    used = [point.hyperparameters[0]["lr"] for point in run.walk(1)]
    assert used == [0.1 * 0.5 ** (step // 3) for step in range(12 // accumulate)]


def test_a_part_is_recorded_under_its_own_names(lit, tmp_path):
    module = lit.Classifier()
    started = lit.copies(module)
    lit.fit(module, tmp_path, lit.LightningRecorder(tmp_path / "run", part="model", every=4))
    run = lca.open_run(tmp_path / "run")
    assert run.tensors[0].name == "0.weight"
    assert_points(run, [started, *module.seen][::4], "model.")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_ends_the_run_as_incomplete(lit, tmp_path, error):
    recorder = lit.LightningRecorder(tmp_path / "run")
    with pytest.raises((error, SystemExit)):
        lit.fit(lit.Classifier(), tmp_path, lit.Interrupted(error), recorder)
    assert recorder.recorder is None
    run = lca.open_run(tmp_path / "run")
    assert not run.complete
    assert run.iterations.tolist() == list(range(6))


def test_a_training_resumed_from_a_checkpoint_goes_on_with_its_run(lit, tmp_path):
    undisturbed = lit.Classifier()
    started = lit.copies(undisturbed)
    lit.fit(undisturbed, tmp_path, epochs=3)

    def recorder():
        return lit.LightningRecorder(tmp_path / "run", resume=True)

    saving = lit.SavingTheFirstEpoch(tmp_path / "epoch.ckpt")
    with pytest.raises(RuntimeError, match="fails"):
        lit.fit(lit.Classifier(fail_at=17), tmp_path, saving, recorder(), epochs=3)
    assert lca.open_run(tmp_path / "run").iterations[-1] == 17
    lit.fit(lit.Classifier(), tmp_path, recorder(), epochs=3, checkpoint=tmp_path / "epoch.ckpt")
    run = lca.open_run(tmp_path / "run")
    assert verify(tmp_path / "run").ok
    assert run.complete
    assert_points(run, [started, *undisturbed.seen])


def test_of_several_optimizers_one_is_chosen(lit, tmp_path):
    with pytest.raises(ArgumentError, match="2 optimizers: choose"):
        lit.fit(lit.Two(), tmp_path, lit.LightningRecorder(tmp_path / "run"))
    with pytest.raises(ArgumentError, match="no optimizer 2"):
        lit.fit(lit.Two(), tmp_path, lit.LightningRecorder(tmp_path / "run", optimizer=2))
    lit.fit(lit.Two(), tmp_path, lit.LightningRecorder(tmp_path / "run", optimizer=1))
    run = lca.open_run(tmp_path / "run")
    assert run.iterations.tolist() == list(range(13))
    assert all(np.any(step.steps["model.0.weight"]) for step in run.steps())
    assert run.manifest.optimizer.members == [["model.3.weight", "model.3.bias"]]


def test_wrong_arguments_are_told_before_training(lit, tmp_path):
    with pytest.raises(TypeError, match="evry"):
        lit.LightningRecorder(tmp_path / "run", evry=2)
    with pytest.raises(ArgumentError, match="iteration comes from"):
        lit.LightningRecorder(tmp_path / "run", iteration=2)
    with pytest.raises(ArgumentError, match="no part 'net'; its parts are: model"):
        lit.fit(lit.Classifier(), tmp_path, lit.LightningRecorder(tmp_path / "run", part="net"))
    assert not Path(tmp_path / "run").exists()


def test_a_step_that_the_scaler_skips_is_a_zero_step(lit, tmp_path):
    precision = lit.MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=8.0))
    module = lit.Overflowing()
    started = lit.copies(module)
    lit.fit(module, tmp_path, lit.LightningRecorder(tmp_path / "run"), plugins=precision)
    run = lca.open_run(tmp_path / "run")
    assert_points(run, [started, *module.seen])
    moved = [bool(np.any(step.steps["model.0.weight"])) for step in run.steps()]
    assert moved == [True, True, False, *[True] * 9]
    assert run.scalars()["skipped"][0].tolist() == [3]
