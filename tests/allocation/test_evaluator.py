"""The loss of a whole split and its gradient, against autograd in float64, and in awkward models."""

import copy

import numpy as np
import oracles
import pytest
import torch
from torch import nn

from lca_analysis.allocation.chunks import class_numbers
from lca_analysis.allocation.evaluator import SplitLoss, chunk_size, one_thread
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.errors import ArgumentError, MismatchError
from lca_analysis.problems import Problem
from lca_analysis.recording import Recorder
from lca_analysis.trajectory import open_run

CROSS_ENTROPY = nn.CrossEntropyLoss(reduction="none")


def recorded(problem, path):
    """Record the model as it is, at one point."""
    with Recorder(path, problem.model):
        pass
    return open_run(path)


def evaluate(problem, path, split="train", match="name"):
    """Give loss, gradient by tensor, and the model, at the weights that the problem's model has."""
    run = recorded(problem, path)
    model = FlatModel(problem, run, match)
    weights = run.weights(0)
    loss, flat = SplitLoss(problem, split, model).gradient(model.flatten(weights))
    places = model.layout.places
    gradients = {place.tensor.name: flat[place.slice].view(place.tensor.shape).numpy() for place in places}
    return loss, gradients, weights


def check(problem, path, tolerance, split="train"):
    """Compare with the oracle."""
    loss, gradients, weights = evaluate(problem, path, split)
    names = list(gradients)
    wanted_loss, wanted = oracles.loss_and_gradient(problem, split, {name: weights[name] for name in names})
    scale = max(float(np.abs(values).max(initial=0)) for values in wanted.values())
    assert loss == pytest.approx(wanted_loss, rel=tolerance)
    for name in names:
        np.testing.assert_allclose(gradients[name], wanted[name], rtol=0, atol=tolerance * scale)


def images(count=7, channels=2, size=4, dtype=torch.float32):
    """Give a split of random images."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, channels, size, size, generator=generator).to(dtype)
    return {"train": (inputs, torch.randint(0, 3, (count,), generator=generator))}


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("name", ["mlp", "conv", "batch_norm"])
def test_gradients_are_those_of_autograd(small, tmp_path, name, dtype, tolerance, split):
    # 23 examples in chunks of 10: the last chunk of 3 counts by its size, normalised by itself in batch mode.
    check(small.build(name, dtype=dtype), tmp_path / "run", tolerance, split)


def test_the_loss_alone_is_the_same(small, tmp_path):
    problem = small.build("batch_norm")
    run = recorded(problem, tmp_path / "run")
    model = FlatModel(problem, run, "name")
    split_loss = SplitLoss(problem, "train", model)
    weights = model.flatten(run.weights(0))
    assert split_loss.loss(weights) == split_loss.gradient(weights)[0]
    assert split_loss.evaluations == 1


def test_the_users_model_is_left_alone(small, tmp_path):
    problem = small.build("batch_norm")
    problem.model.train()
    before = copy.deepcopy(problem.model.state_dict())
    evaluate(problem, tmp_path / "run")
    assert problem.model.training
    assert all(torch.equal(before[name], value) for name, value in problem.model.state_dict().items())
    assert all(parameter.grad is None for parameter in problem.model.parameters())


def test_gradients_are_taken_although_the_caller_switched_them_off(small, tmp_path):
    with torch.no_grad():
        _, gradients, _ = evaluate(small.build("mlp"), tmp_path / "run")
    assert all(np.abs(values).sum() > 0 for values in gradients.values())


class Awkward(nn.Module):
    """A tied weight, a frozen layer, an unused, a scalar and an empty parameter."""

    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(5, 4, bias=False)
        self.frozen = nn.Linear(5, 5).requires_grad_(False)
        self.decode = nn.Linear(5, 4, bias=False)
        self.decode.weight = self.encode.weight
        self.unused = nn.Parameter(torch.ones(3))
        self.scale = nn.Parameter(torch.tensor(1.3))
        self.empty = nn.Parameter(torch.zeros(0, 2))

    def forward(self, inputs):
        hidden = torch.tanh(self.frozen(inputs))
        return self.scale * self.encode(hidden) + self.decode(hidden**2) + self.empty.sum()


def test_awkward_parameters(tmp_path):
    torch.manual_seed(2)
    splits = {"train": (torch.randn(6, 5), torch.randint(0, 4, (6,)))}
    problem = Problem(Awkward(), CROSS_ENTROPY, splits, batch_size=4)
    check(problem, tmp_path / "run", 2e-6)
    _, gradients, _ = evaluate(problem, tmp_path / "again")
    assert list(gradients) == ["unused", "scale", "empty", "encode.weight", "frozen.weight", "frozen.bias"]
    assert not gradients["unused"].any()
    assert gradients["frozen.weight"].any()
    assert gradients["empty"].shape == (0, 2)


def test_a_loss_without_any_gradient_gives_zero(tmp_path):
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2))

        def forward(self, inputs):
            return inputs

    problem = Problem(Constant(), lambda outputs, targets: outputs.sum(1), {"train": (torch.ones(3, 2), torch.ones(3))})
    loss, gradients, _ = evaluate(problem, tmp_path / "run")
    assert loss == 2
    assert not gradients["weight"].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(tmp_path, dtype):
    torch.manual_seed(3)
    model = nn.Linear(5, 3).to(dtype)
    splits = {"train": (torch.randn(6, 5).to(dtype), torch.randint(0, 3, (6,)))}
    loss, gradients, _ = evaluate(Problem(model, CROSS_ENTROPY, splits), tmp_path / "run")
    exact = copy.deepcopy(model).double()
    mean = CROSS_ENTROPY(exact(splits["train"][0].double()), splits["train"][1]).mean()
    mean.backward()
    assert loss == pytest.approx(float(mean.detach()), rel=1e-6)
    np.testing.assert_allclose(gradients["weight"], exact.weight.grad.numpy(), atol=1e-6)


class Viewing(nn.Module):
    """Flattens by view, which images in channels-last order do not allow."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.head = nn.Linear(48, 3)

    def forward(self, inputs):
        return self.head(self.conv(inputs).view(len(inputs), -1))


def test_models_that_view_their_images(tmp_path):
    check(Problem(Viewing(), CROSS_ENTROPY, images()), tmp_path / "run", 2e-6)


def test_evaluation_mode_without_running_statistics_is_the_same(small, tmp_path):
    problem = small.build("mlp")
    loss = evaluate(problem, tmp_path / "run")[0]
    problem.normalization = "eval"
    assert evaluate(problem, tmp_path / "again")[0] == loss


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (nn.CrossEntropyLoss(), "one value per example"),
        (lambda outputs, targets: CROSS_ENTROPY(outputs[:, :2].T, targets), "fails on split 'train'"),
    ],
)
def test_losses_that_do_not_fit_are_refused(tmp_path, loss, words):
    problem = Problem(nn.Linear(5, 3), loss, {"train": (torch.randn(6, 5), torch.zeros(6, dtype=torch.long))})
    with pytest.raises(MismatchError, match=words):
        evaluate(problem, tmp_path / "run")


class WithBuffer(nn.Module):
    """The loss depends on a buffer."""

    def __init__(self, shift, size=3):
        super().__init__()
        self.linear = nn.Linear(5, size)
        self.register_buffer("shift", torch.full((size,), shift))

    def forward(self, inputs):
        return self.linear(inputs) + self.shift


def buffer_problem(shift, size=3):
    """Give a problem with a buffer."""
    torch.manual_seed(4)
    splits = {"train": (torch.arange(30.0).view(6, 5) / 30, torch.arange(6) % 3)}
    return Problem(WithBuffer(shift, size), CROSS_ENTROPY, splits)


def test_recorded_buffers_are_taken(tmp_path):
    torch.manual_seed(4)
    run = recorded(buffer_problem(torch.tensor(0.0)), tmp_path / "run")
    model = FlatModel(buffer_problem(5.0), run, "name")
    assert not model.module.shift.any()
    assert model.names == ["linear.weight", "linear.bias", "shift"]


def test_a_buffer_that_moves_is_refused(tmp_path):
    problem = buffer_problem(1.0)
    with Recorder(tmp_path / "run", problem.model) as recorder:
        problem.model.shift += 1
        recorder.record()
    run = open_run(tmp_path / "run")
    model = FlatModel(problem, run, "name")
    first, second = run.walk()
    model.check_buffers(first.weights, 0)
    with pytest.raises(MismatchError, match="'shift' differs between the run's first point and iteration 1"):
        model.check_buffers(second.weights, 1)


def test_chunks():
    linear, conv = nn.Linear(2, 2), nn.Conv2d(1, 1, 1)
    assert chunk_size(linear, 700) == 700
    assert chunk_size(linear, 50_000) == 2000
    assert chunk_size(conv, 1000) == 125
    assert chunk_size(conv, 30) == 30
    assert chunk_size(nn.Sequential(conv, nn.BatchNorm2d(1)), 1000) == 1000


def interrupted():
    """Stop inside."""
    with one_thread():
        assert torch.get_num_threads() == 1
        raise RuntimeError("stop")


def test_threads_are_put_back(two_threads):
    with pytest.raises(RuntimeError, match="stop"):
        interrupted()
    assert torch.get_num_threads() == two_threads


def class_gradients(problem, path, split="train"):
    """Give the losses and gradients of the whole and of each class, and what the engine takes for the plain whole."""
    run = recorded(problem, path)
    model = FlatModel(problem, run, "name")
    weights = model.flatten(run.weights(0))
    told_apart = SplitLoss(problem, split, model, classes=True)
    loss, rows = told_apart.gradient(weights)
    assert told_apart.loss(weights) == loss
    plain = SplitLoss(problem, split, model).gradient(weights)
    return loss, rows, told_apart.shares, plain, told_apart


def class_oracle(problem, split):
    """Take the gradient of what each class adds to the loss: chunks in order, one example's loss after the other."""
    model = oracles.evaluation_model(problem)
    inputs, targets = problem.split(split)
    found = []
    for label in range(problem.classes):
        model.zero_grad(set_to_none=False)
        share = torch.zeros((), dtype=torch.float64)
        for begin in range(0, len(inputs), problem.batch_size):
            outputs = model(inputs[begin : begin + problem.batch_size].double())
            for output, target in zip(outputs, targets[begin : begin + problem.batch_size], strict=True):
                if int(target) == label:
                    share = share + CROSS_ENTROPY(output[None], target[None])[0] / len(inputs)
        gradients = (
            torch.autograd.grad(share, list(model.parameters()), allow_unused=True, materialize_grads=True)
            if share.requires_grad
            else [torch.zeros_like(parameter) for parameter in model.parameters()]
        )
        found.append((float(share.detach()), torch.cat([gradient.reshape(-1) for gradient in gradients])))
    return found


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 5e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("name", ["mlp", "conv", "batch_norm"])
def test_classes_are_their_shares_of_the_loss_and_sum_to_the_whole(small, tmp_path, name, dtype, tolerance):
    problem = small.build(name, dtype=dtype)
    problem.classes = 4  # the fourth has no example
    loss, rows, shares, (plain_loss, plain), told_apart = class_gradients(problem, tmp_path / "run")
    scale = float(plain.abs().max())
    for row, share, (wanted_share, wanted) in zip(rows[1:], shares, class_oracle(problem, "train"), strict=True):
        assert share == pytest.approx(wanted_share, rel=tolerance, abs=1e-15)
        torch.testing.assert_close(row.double(), wanted, rtol=0, atol=tolerance * scale)
    assert told_apart.class_sizes[3] == 0
    assert shares[3] == 0
    assert not rows[4].any()
    assert loss == pytest.approx(plain_loss, rel=tolerance)
    assert sum(shares) == pytest.approx(loss, rel=1e-14)
    torch.testing.assert_close(rows[0], plain, rtol=0, atol=tolerance * scale)
    torch.testing.assert_close(rows[1:].sum(0), rows[0], rtol=0, atol=tolerance * scale)


def test_classes_of_one_example(tmp_path):
    splits = {"train": (torch.randn(1, 5), torch.tensor([2]))}
    problem = Problem(nn.Linear(5, 3), CROSS_ENTROPY, splits, classes=3)
    _, rows, _, (_, plain), _ = class_gradients(problem, tmp_path / "run")
    assert torch.equal(rows[0], plain)
    assert torch.equal(rows[3], plain)


@pytest.mark.parametrize(
    ("classes", "targets", "words"),
    [
        (None, torch.tensor([0, 1]), r"Problem\(\.\.\., classes="),
        (2, torch.tensor([0, 2]), "a target of 2, which is none of the 2 classes"),
        (2, torch.tensor([-100, 1]), "a target of -100"),
        (2, torch.tensor([0.0, 1.0]), "class numbers"),
        (2, torch.tensor([[0, 1], [1, 0]]), r"class numbers.*shape \(2, 2\)"),
    ],
)
def test_targets_that_are_no_class_numbers_are_refused(classes, targets, words):
    problem = Problem(nn.Linear(5, 3), CROSS_ENTROPY, {"train": (torch.randn(2, 5), targets)}, classes=classes)
    with pytest.raises(ArgumentError, match=words):
        class_numbers(problem, "train")
