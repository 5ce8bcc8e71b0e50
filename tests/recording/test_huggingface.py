"""Recording in Hugging Face's own training loop."""

import pytest
import torch

import lca_analysis as lca
from lca_analysis.recording.huggingface import HuggingFaceRecorder
from lca_analysis.trajectory import verify


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def trainer_of(tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments, set_seed

    class Seeing(TrainerCallback):
        """Keeps the weights before the training and behind every step, by a way of the Trainer's own."""

        def __init__(self, fail_at):
            self.seen, self.fail_at = [], fail_at

        def on_train_begin(self, args, state, control, model, **_):
            self.seen.append(copies(model))

        def on_step_end(self, args, state, control, model, **_):
            self.seen.append(copies(model))
            if state.global_step == self.fail_at:
                raise RuntimeError("the training fails")

    words = [{"input_ids": row, "labels": row} for row in torch.randint(0, 11, (32, 5), generator=seeded())]

    def make(*callbacks, fail_at=None, **more):
        set_seed(0)
        sizes = {"n_layer": 1, "n_embd": 8, "n_head": 2, "vocab_size": 11, "n_positions": 8}
        model = GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0))
        settings = {"report_to": [], "disable_tqdm": True, "use_cpu": True, "save_strategy": "no"} | more
        arguments = TrainingArguments(
            str(tmp_path / "out"), max_steps=6, per_device_train_batch_size=2, learning_rate=0.05, **settings
        )
        seeing = Seeing(fail_at)
        trainer = Trainer(model, arguments, train_dataset=words, callbacks=[seeing, *callbacks])
        trainer.seen = seeing.seen
        return trainer

    return make


def seeded():
    return torch.Generator().manual_seed(3)


def copies(model):
    return {name: tensor.detach().numpy().copy() for name, tensor in model.named_parameters()}


def assert_points(run, expected):
    found = list(run.walk())
    assert [point.iteration for point in found] == list(range(len(expected)))
    for point, weights in zip(found, expected, strict=True):
        for name, array in weights.items():
            assert array.tobytes() == point.weights[name].tobytes(), (point.iteration, name)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_every_step_is_recorded_and_training_is_the_same(tmp_path, trainer_of, accumulate):
    plain = trainer_of(gradient_accumulation_steps=accumulate)
    plain.train()
    recorder = HuggingFaceRecorder(tmp_path / "run")
    with recorder:
        trainer_of(recorder, gradient_accumulation_steps=accumulate).train()
    run = lca.open_run(tmp_path / "run")
    assert run.complete
    assert len(plain.seen) == 7
    assert_points(run, plain.seen)
    rates = [point.hyperparameters[0]["lr"] for point in run.walk(1)]
    assert rates == [pytest.approx(0.05 * (6 - step) / 6) for step in range(6)]


def test_an_exception_ends_the_run_as_incomplete(tmp_path, trainer_of):
    recorder = HuggingFaceRecorder(tmp_path / "run", part="transformer")
    with pytest.raises(RuntimeError, match="fails"), recorder:
        trainer_of(recorder, fail_at=4).train()
    assert recorder.recorder is None
    run = lca.open_run(tmp_path / "run")
    assert not run.complete
    assert run.iterations.tolist() == [0, 1, 2, 3, 4]
    assert run.tensors[0].name == "wte.weight"


def test_a_training_resumed_from_a_checkpoint_goes_on_with_its_run(tmp_path, trainer_of):
    plain = trainer_of()
    plain.train()
    recorder = HuggingFaceRecorder(tmp_path / "run", resume=True)
    saving = {"save_strategy": "steps", "save_steps": 2}
    with pytest.raises(RuntimeError, match="fails"), recorder:
        trainer_of(recorder, fail_at=5, **saving).train()
    assert lca.open_run(tmp_path / "run").iterations[-1] == 5
    with recorder:
        trainer_of(recorder, **saving).train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-4"))
    run = lca.open_run(tmp_path / "run")
    assert run.complete
    assert verify(tmp_path / "run").ok
    assert_points(run, plain.seen)
