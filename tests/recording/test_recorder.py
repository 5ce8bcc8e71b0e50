"""What the Recorder writes is what training held, and training does not notice."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.errors import ArgumentError
from lca_analysis.recording import Recorder, RecorderOptions
from lca_analysis.trajectory import ProblemReference, verify

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=torch.tensor(0.01), capturable=False, foreach=False),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
}
RECORDED = {
    "scale", "embed.weight", "norm.weight", "norm.bias", "hidden.weight", "hidden.bias",
    "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
}  # fmt: skip


def copies(model):
    state = model.state_dict()
    return {name: state[name].numpy().copy() for name in RECORDED}


def agree(weights, expected):
    assert weights.keys() == expected.keys()
    for name, array in expected.items():
        assert weights[name].dtype == array.dtype
        assert weights[name].shape == array.shape
        assert weights[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_run_equals_copies_made_by_hand(tmp_path, model, training, name):
    optimizer = OPTIMIZERS[name](model.parameters())
    expected = [copies(model)]
    with Recorder(tmp_path / "run", model, optimizer, options=RecorderOptions(segment_length=5)):
        training(model, optimizer, 12, lambda: expected.append(copies(model)))
    run = lca.open_run(tmp_path / "run")
    assert run.complete
    assert run.iterations.tolist() == list(range(13))
    for point, weights in zip(run.walk(), expected, strict=True):
        agree(point.weights, weights)
    assert verify(tmp_path / "run").ok


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_is_the_same_to_the_bit_with_and_without(tmp_path, model, training, name):
    twin = copy.deepcopy(model)
    twin.out.weight = twin.embed.weight
    optimizers = [OPTIMIZERS[name](network.parameters()) for network in (model, twin)]
    torch.manual_seed(1)
    training(twin, optimizers[1], 10)
    drawn = torch.rand(3)
    torch.manual_seed(1)
    with Recorder(tmp_path / "run", model, optimizers[0]):
        training(model, optimizers[0], 10)
    assert torch.equal(torch.rand(3), drawn)
    agree(copies(model), copies(twin))
    states = [optimizer.state_dict()["state"] for optimizer in optimizers]
    for key in states[0]:
        assert states[0][key].keys() == states[1][key].keys()
        assert all(
            torch.equal(torch.as_tensor(v), torch.as_tensor(states[1][key][k])) for k, v in states[0][key].items()
        )


def test_queued_points_do_not_follow_the_live_weights(tmp_path, model):
    with Recorder(tmp_path / "run", model, options=RecorderOptions(queue_points=100)) as recorder:
        for value in range(1, 50):
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.fill_(value)
            recorder.record()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.fill_(-1)
    for point in lca.open_run(tmp_path / "run").walk(1):
        assert (point.weights["hidden.weight"] == point.iteration).all()


def test_every_kth_step(tmp_path, model, training):
    optimizer = OPTIMIZERS["sgd"](model.parameters())
    expected = [copies(model)]
    with Recorder(tmp_path / "run", model, optimizer, every=4) as recorder:
        training(model, optimizer, 11, lambda: expected.append(copies(model)))
        assert recorder.iteration == 11
    run = lca.open_run(tmp_path / "run")
    assert run.iterations.tolist() == [0, 4, 8]
    for point in run.walk():
        agree(point.weights, expected[point.iteration])


def test_hyperparameters_are_those_that_the_step_used(tmp_path, model, training):
    optimizer = torch.optim.Adam(
        [{"params": list(model.hidden.parameters())}, {"params": [model.embed.weight], "lr": torch.tensor(0.5)}], lr=0.1
    )
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.1)
    with Recorder(tmp_path / "run", model, optimizer):
        training(model, optimizer, 7, schedule.step)
    run = lca.open_run(tmp_path / "run")
    rates = [[group["lr"] for group in point.hyperparameters] for point in run.walk()]
    used = [0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001]  # the point at 0 states the initial ones
    assert np.allclose(rates, [[rate, 5 * rate] for rate in used], rtol=1e-6)
    assert [t for t, _ in run.hyperparameters()] == [0, 4, 7]
    assert next(run.walk()).hyperparameters[0]["betas"] == [0.9, 0.999]
    assert run.manifest.optimizer.name == "Adam"
    assert run.manifest.optimizer.members == [["hidden.weight", "hidden.bias"], ["embed.weight"]]


def test_logged_numbers_belong_to_the_next_point(tmp_path, model):
    with Recorder(tmp_path / "run", model) as recorder:
        for step in range(1, 5):
            recorder.log(loss=10.0 * step, accuracy=torch.tensor(0.5))
            recorder.record()
    scalars = lca.open_run(tmp_path / "run").scalars()
    assert scalars["loss"][0].tolist() == [1, 2, 3, 4]
    assert scalars["loss"][1].tolist() == [10, 20, 30, 40]
    assert scalars["accuracy"][1].tolist() == [0.5] * 4


def test_a_step_with_a_closure_is_one_step(tmp_path):
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=5)
    inputs = torch.randn(20, 4)

    def closure():
        optimizer.zero_grad()
        loss = (model(inputs) - 1).square().mean()
        loss.backward()
        return loss

    with Recorder(tmp_path / "run", model, optimizer):
        for _ in range(3):
            optimizer.step(closure)
    assert lca.open_run(tmp_path / "run").iterations.tolist() == [0, 1, 2, 3]


def test_after_the_block_the_optimizer_is_free(tmp_path, model, training):
    optimizer = OPTIMIZERS["sgd"](model.parameters())
    with Recorder(tmp_path / "run", model, optimizer) as recorder:
        training(model, optimizer, 2)
    training(model, optimizer, 3)
    assert lca.open_run(tmp_path / "run").iterations.tolist() == [0, 1, 2]
    with pytest.raises(ArgumentError, match="not recording"):
        recorder.record()
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


class BuiltProblem:
    reference = ProblemReference("pkg.module:make", {"width": 3}, {"train": "ab" * 32})


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (None, None),
        ("train.py:problem", ProblemReference("train.py:problem")),
        (BuiltProblem.reference, BuiltProblem.reference),
        (BuiltProblem(), BuiltProblem.reference),
    ],
)
def test_the_problem_in_any_of_its_forms(tmp_path, model, problem, expected):
    with Recorder(tmp_path / "run", model, problem=problem):
        pass
    assert lca.open_run(tmp_path / "run").manifest.problem == expected


def test_the_manifest_says_how_it_was_recorded(tmp_path, model):
    torch.manual_seed(1234)
    with Recorder(tmp_path / "run", model, preset="fast", options=RecorderOptions(name="mine", tags={"group": "a"})):
        pass
    manifest = lca.open_run(tmp_path / "run").manifest
    assert manifest.seeds == {"torch": 1234}
    assert (manifest.name, manifest.tags) == ("mine", {"group": "a"})
    assert (manifest.recording.preset, manifest.recording.lossless) == ("fast", True)
    assert manifest.versions["torch"] == torch.__version__
    with Recorder(tmp_path / "other", model, options=RecorderOptions(seeds={"data": 3})):
        pass
    assert lca.open_run(tmp_path / "other").manifest.seeds == {"data": 3}


@pytest.mark.parametrize(
    "arguments", [{"every": 0}, {"options": RecorderOptions(on_error="ignore")}, {"preset": "tiny"}]
)
def test_arguments_that_cannot_be_used(tmp_path, model, arguments):
    with pytest.raises(ArgumentError), Recorder(tmp_path / "run", model, **arguments):
        pass
    assert not (tmp_path / "run").exists()


def test_an_existing_folder_is_refused_before_training(tmp_path, model):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(ArgumentError, match="not a run"), Recorder(tmp_path / "run", model, overwrite=True):
        pass
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("value", [0.25, torch.tensor(0.25)], ids=["number", "tensor"])
def test_hyperparameters_that_change_at_any_step_are_seen(tmp_path, model, training, value):
    """In place as a tensor, as another number, in a tuple; what stays the same is told once."""
    optimizer = torch.optim.Adam(model.parameters(), lr=value, foreach=False)
    expected = []
    with Recorder(tmp_path / "run", model, optimizer) as recorder:
        for step in range(12):
            group = optimizer.param_groups[0]
            if step in (3, 7):
                if isinstance(value, torch.Tensor):
                    group["lr"].mul_(0.5)
                else:
                    group["lr"] *= 0.5
            if step == 9:
                group["betas"] = (0.5, 0.9)
            expected.append((float(group["lr"]), list(group["betas"])))
            training(model, optimizer, 1)
        assert recorder.iteration == 12
    told = lca.open_run(tmp_path / "run").hyperparameters()
    changes = [(iteration, (group["lr"], group["betas"])) for iteration, (group,) in told]
    assert [iteration for iteration, _ in changes] == [0, 4, 8, 10]
    assert changes == [(iteration, expected[max(iteration - 1, 0)]) for iteration, _ in changes]
