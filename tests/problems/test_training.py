import io
import json
from contextlib import redirect_stderr

import numpy as np
import pytest
import torch
from torch import nn

from lca_analysis.errors import ArgumentError, NotFoundError, NumericalError
from lca_analysis.problems import OPTIMIZERS, PROBLEMS, Problem, TrainingSettings, build_problem, train
from lca_analysis.problems.loop import minibatches
from lca_analysis.trajectory import open_run

SMALL = {"mnist_fc": 40, "mnist_lenet": 12, "cifar_resnet20": 10, "cifar_allcnn": 6}


@pytest.fixture
def build(tmp_path, cifar_writer):
    """Give a function that builds a built-in problem on little data."""
    folder = cifar_writer(tmp_path / "cifar")

    def make(name, seed=2):
        limits = {"train": SMALL[name], "validation": 4} if name in SMALL else {}
        data = {"data": str(folder)} if name.startswith("cifar") else {}
        return build_problem(name, seed=seed, **limits, **data)

    return make


def plain_sgd(problem, settings):
    """Train without the package: a hand-written loop, giving all tensors at every iteration."""
    model = problem.model
    inputs, targets = problem.splits["train"]
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.learning_rate, momentum=settings.momentum)
    order = torch.Generator().manual_seed(settings.seed)
    count, size = len(inputs), settings.batch_size
    states, losses = [{name: tensor.clone() for name, tensor in model.state_dict().items()}], []
    model.train()
    torch.manual_seed(settings.seed)
    while len(losses) < settings.iterations:
        shuffled = torch.randperm(count, generator=order)
        for start in range(0, count - size + 1, size):
            if len(losses) == settings.iterations:
                break
            batch = shuffled[start : start + size]
            loss = nn.functional.cross_entropy(model(inputs[batch]), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            states.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
    return states, losses


@pytest.mark.parametrize("name", PROBLEMS)
def test_recorded_weights_are_those_of_a_loop_without_recorder_bit_for_bit(name, build, tmp_path):
    size = 250 if name == "digits_mlp" else SMALL[name] // 2 - 1
    settings = TrainingSettings(iterations=5, batch_size=size, learning_rate=0.02, seed=9)
    run = train(build(name), tmp_path / "run", settings, progress=False)
    with torch.random.fork_rng(devices=[]):
        states, losses = plain_sgd(build(name), settings)
    assert run.complete
    assert run.iterations.tolist() == [0, 1, 2, 3, 4, 5]
    for iteration, state in enumerate(states):
        held = run.weights(iteration)
        assert set(held) == set(state)
        for tensor, value in state.items():
            expected = value.numpy()
            assert (held[tensor].dtype, held[tensor].shape) == (expected.dtype, expected.shape)
            assert held[tensor].tobytes() == expected.tobytes(), (iteration, tensor)
    iterations, logged = run.scalars()["minibatch_loss"]
    assert iterations.tolist() == [1, 2, 3, 4, 5]
    assert logged.tolist() == pytest.approx(losses, rel=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_and_the_same_seed_gives_the_same_run(optimizer, build, tmp_path):
    rate = {"sgd": 0.05, "rmsprop": 0.002}.get(optimizer, 0.01)
    settings = TrainingSettings(60, 100, optimizer, rate, schedule="cosine", warmup=5, seed=4)
    runs = [train(build("digits_mlp"), tmp_path / name, settings) for name in "ab"]
    first, last = (runs[0].weights(t) for t in (0, 60))
    again = runs[1].weights(60)
    assert all(np.array_equal(last[name], again[name]) for name in last)
    assert all(not np.array_equal(first[name], last[name]) for name in last)
    losses = runs[0].scalars()["minibatch_loss"][1]
    assert losses[-10:].mean() < 0.6 * losses[0]


def test_another_seed_gives_another_order_from_the_same_start(build, tmp_path):
    runs = [
        train(build("digits_mlp"), tmp_path / str(seed), TrainingSettings(iterations=2, seed=seed)) for seed in (0, 1)
    ]
    starts, ends = ([run.weights(t)["fc1.weight"] for run in runs] for t in (0, 2))
    assert np.array_equal(*starts)
    assert not np.array_equal(*ends)


def test_each_step_is_recorded_with_the_rate_it_used(build, tmp_path):
    settings = TrainingSettings(iterations=5, learning_rate=0.1, schedule="step", drops=(2, 4))
    run = train(build("digits_mlp"), tmp_path / "run", settings)
    rates = [point.hyperparameters[0]["lr"] for point in run.walk()]
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.01, 0.01, 0.001], rel=1e-12)


def test_the_manifest_tells_problem_seeds_and_settings(build, tmp_path):
    problem = build("digits_mlp", seed=7)
    settings = TrainingSettings(iterations=1, seed=3)
    manifest = train(problem, tmp_path / "run", settings).manifest
    assert manifest.problem == problem.reference
    assert manifest.seeds == {"train": 3, "model": 7}
    assert json.loads(manifest.tags["settings"]) == json.loads(settings.to_json())
    assert manifest.optimizer.name == "SGD"


def test_the_seed_of_a_model_is_told_only_where_it_is_known(toy, build, tmp_path):
    settings = TrainingSettings(iterations=1, batch_size=4)
    assert train(Problem(*toy), tmp_path / "toy", settings).manifest.seeds == {"train": 0}
    assert train(build_problem("digits_mlp"), tmp_path / "b", settings).manifest.seeds == {"train": 0, "model": 0}


def test_a_model_without_a_seed_of_its_own_gets_none(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import torch\nimport lca_analysis as lca\n\n\ndef problem():\n"
        "    loss = torch.nn.CrossEntropyLoss(reduction='none')\n"
        "    splits = {'train': (torch.rand(8, 2), torch.arange(8) % 2)}\n"
        "    return lca.Problem(torch.nn.Linear(2, 2), loss, splits)\n"
    )
    monkeypatch.chdir(tmp_path)
    run = train(build_problem("mine.py:problem"), "run", TrainingSettings(iterations=1, batch_size=4))
    assert run.manifest.seeds == {"train": 0}


def test_training_leaves_the_global_random_state_alone(build, tmp_path):
    problem = build("mnist_lenet")  # with dropout
    torch.manual_seed(5)
    state = torch.get_rng_state()
    train(problem, tmp_path / "run", TrainingSettings(iterations=2, batch_size=4))
    assert torch.equal(torch.get_rng_state(), state)


def test_an_epoch_visits_distinct_examples_and_the_next_is_shuffled_anew():
    batches = minibatches(10, 3, seed=1)
    epochs = [torch.cat([next(batches) for _ in range(3)]).tolist() for _ in range(200)]
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert epochs[0] != epochs[1]
    left_out = [(set(range(10)) - set(epoch)).pop() for epoch in epochs]
    assert set(left_out) == set(range(10))  # no example is left out for good


def test_a_loss_that_is_not_finite_stops_training_and_keeps_the_run(toy, tmp_path):
    model, loss, splits = toy
    problem = Problem(model, lambda outputs, targets: 1e20 * loss(outputs, targets) ** 3, splits)
    settings = TrainingSettings(iterations=50, batch_size=8, learning_rate=1e5)
    with pytest.raises(
        NumericalError, match=r"loss is (nan|inf) at iteration (\d+): .*the run .* is recorded"
    ) as caught:
        train(problem, tmp_path / "run", settings)
    iteration = int(str(caught.value).split("at iteration ")[1].split(":")[0])
    run = open_run(tmp_path / "run")
    assert run.iterations.tolist() == list(range(iteration + 1))
    assert 0 < iteration < 50
    assert not run.complete
    for name, parameter in model.named_parameters():
        np.testing.assert_array_equal(run.weights(iteration)[name], parameter.detach().numpy())


def test_what_cannot_be_trained_is_refused_before_the_folder_is_touched(toy, tmp_path):
    model, loss, splits = toy
    path = tmp_path / "run"
    train(Problem(*toy), path, TrainingSettings(iterations=1, batch_size=4))
    kept = {file.name: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with pytest.raises(ArgumentError, match="batch_size 9 is more than the 8 examples"):
        train(Problem(*toy), path, TrainingSettings(iterations=1, batch_size=9), overwrite=True)
    with pytest.raises(NotFoundError, match="no split 'train'; it has: test"):
        train(Problem(model, loss, {"test": splits["train"]}), path, overwrite=True)
    assert kept == {file.name: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_an_earlier_run_is_replaced_only_when_asked(toy, tmp_path):
    settings = TrainingSettings(iterations=2, batch_size=4)
    train(Problem(*toy), tmp_path / "run", settings)
    with pytest.raises(ArgumentError):
        train(Problem(*toy), tmp_path / "run", settings)
    run = train(Problem(*toy), tmp_path / "run", TrainingSettings(iterations=3, batch_size=4), overwrite=True)
    assert run.iterations.tolist() == [0, 1, 2, 3]


def test_progress_is_shown_when_asked(toy, tmp_path):
    shown = {}
    for progress in (True, False):
        stream = io.StringIO()
        with redirect_stderr(stream):
            train(Problem(*toy), tmp_path / str(progress), TrainingSettings(3, 4), progress=progress)
        shown[progress] = stream.getvalue()
    assert "train" in shown[True]
    assert "3/3" in shown[True]
    assert shown[False] == ""


def test_a_model_with_frozen_parameters_trains_the_others(toy, tmp_path):
    toy[0].bias.requires_grad_(False)
    run = train(Problem(*toy), tmp_path / "run", TrainingSettings(3, 4))
    before, after = run.weights(0), run.weights(3)
    assert np.array_equal(before["bias"], after["bias"])
    assert not np.array_equal(before["weight"], after["weight"])
