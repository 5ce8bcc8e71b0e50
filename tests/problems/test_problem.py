import hashlib

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from lca_analysis.errors import ArgumentError, NotFoundError
from lca_analysis.problems import Problem


def test_a_split_is_given_as_it_was(toy):
    problem = Problem(*toy)
    assert problem.split("validation") == toy[2]["validation"]
    assert list(problem.splits) == ["train", "validation"]
    with pytest.raises(NotFoundError, match="no split 'test'; it has: train, validation"):
        problem.split("test")


def test_the_fingerprint_is_the_sha256_of_dtype_shape_and_bytes(toy):
    inputs, targets = toy[2]["train"]
    digest = hashlib.sha256()
    digest.update(b"torch.float32 (8, 4);" + inputs.numpy().astype("<f4").tobytes())
    digest.update(b"torch.int64 (8,);" + targets.numpy().astype("<i8").tobytes())
    assert Problem(*toy).fingerprint("train") == digest.hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: (x.double(), y),
        lambda x, y: (x.reshape(8, 2, 2), y),
        lambda x, y: (x.flip(0), y.flip(0)),
        lambda x, y: (x, y.roll(1)),
        lambda x, y: (torch.nextafter(x, x + 1), y),
    ],
    ids=["dtype", "shape", "order", "targets", "last bit"],
)
def test_the_fingerprint_sees_every_change(toy, change):
    model, loss, splits = toy
    before = Problem(model, loss, splits).fingerprint("train")
    assert Problem(model, loss, {"train": change(*splits["train"])}).fingerprint("train") != before


def test_the_fingerprint_does_not_see_strides(toy):
    model, loss, splits = toy
    inputs, targets = splits["train"]
    strided = inputs.T.contiguous().T
    assert not strided.is_contiguous()
    problem = Problem(model, loss, {"train": (strided, targets)})
    assert problem.fingerprint("train") == Problem(*toy).fingerprint("train")


class Counting(Dataset):
    """A data set of tensors and plain numbers that counts how often it is read."""

    def __init__(self, inputs, targets):
        self.inputs, self.targets, self.reads = inputs, targets, 0

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        self.reads += 1
        return self.inputs[index], self.targets[index].item()


def test_a_dataset_is_read_once_and_equals_its_tensors(toy):
    model, loss, splits = toy
    dataset = Counting(*splits["train"])
    problem = Problem(model, loss, {"train": dataset})
    problem.fingerprint("train")
    inputs, targets = problem.split("train")
    assert dataset.reads == 8
    assert torch.equal(inputs, splits["train"][0])
    assert torch.equal(targets, splits["train"][1])
    assert problem.fingerprint("train") == Problem(*toy).fingerprint("train")


class Endless(IterableDataset):
    def __iter__(self):
        return iter([])


class Ragged(Counting):
    def __getitem__(self, index):
        return torch.zeros(index + 1), 0


X, Y = torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({}, "splits is empty"),
        ({"train": (X, Y[:3])}, "split 'train' has 4 inputs but 3 targets"),
        ({"train": (X[:0], Y[:0])}, "split 'train' is empty"),
        ({"train": (X.numpy(), Y.numpy())}, "split 'train' must be .inputs, targets. tensors"),
        ({"train": X}, "split 'train' must be"),
        ({"train": (X, torch.tensor(1))}, "split 'train' holds a single number"),
        ({"train": TensorDataset(X[:0], Y[:0])}, "split 'train' is empty"),
        ({"train": TensorDataset(X)}, "each item of the Dataset must be"),
        ({"train": Endless()}, "map-style"),
        ({"train": Ragged(X, Y)}, "cannot be read and stacked into tensors: RuntimeError"),
        ({"a/b": (X, Y)}, "a split cannot be named 'a/b'"),
        ({"": (X, Y)}, "a split cannot be named ''"),
    ],
)
def test_splits_that_cannot_be_used_are_refused(toy, splits, message):
    with pytest.raises(ArgumentError, match=message):
        Problem(toy[0], toy[1], splits)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "net"}, "model must be a torch.nn.Module, not str"),
        ({"loss": 3}, "loss must be callable"),
        ({"batch_size": 0}, "batch_size must be a whole number of 1 or more, not 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"normalization": "group"}, 'must be "batch" or "eval", not \'group\''),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(toy, changes, message):
    model, loss, splits = toy
    with pytest.raises(ArgumentError, match=message):
        Problem(**{"model": model, "loss": loss, "splits": splits} | changes)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.CrossEntropyLoss(), r"one value per example, Tensor\[2\] for 2 examples, not \(\); .*reduction=\"none\""),
        (lambda outputs, targets: (outputs - 1) ** 2, r"not \(2, 3\)"),
        (lambda outputs, targets: 1.0, "not float"),
        (lambda outputs, targets: outputs @ targets, r"raised RuntimeError: .* shape \(2, 4\) and targets .* \(2,\)"),
    ],
)
def test_a_loss_that_is_not_per_example_is_refused(toy, loss, message):
    with pytest.raises(ArgumentError, match=message):
        Problem(toy[0], loss, toy[2]).check_loss()


def test_a_mean_over_a_single_example_is_told_from_a_loss_per_example(toy):
    model, _, splits = toy
    single = {"train": (splits["train"][0][:1], splits["train"][1][:1])}
    with pytest.raises(ArgumentError, match="not \\(\\)"):
        Problem(model, nn.CrossEntropyLoss(), single).check_loss()


def test_checking_the_loss_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout())
    model[1].eval()  # a frozen layer within a model in training
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    Problem(model, nn.CrossEntropyLoss(reduction="none"), {"train": (X, Y)}).check_loss()
    assert [module.training for module in model] == [True, False, True]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_loss_values_are_those_of_the_model(toy):
    model, loss, splits = toy
    inputs, targets = splits["train"]
    logits = (inputs @ model.weight.T + model.bias).detach().double().numpy()
    expected = np.log(np.exp(logits).sum(1)) - logits[np.arange(8), targets.numpy()]
    np.testing.assert_allclose(loss(model(inputs), targets).detach().numpy(), expected, rtol=1e-6)
