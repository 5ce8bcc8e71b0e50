"""A loss that is no function of the parameters alone is refused before anything is computed."""

import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.errors import MismatchError
from lca_analysis.problems import Problem
from lca_analysis.recording import Recorder

CROSS_ENTROPY = nn.CrossEntropyLoss(reduction="none")


class Wrapped(nn.Module):
    """A linear model with something done to its inputs or outputs."""

    def __init__(self, work):
        super().__init__()
        self.fc = nn.Linear(5, 3)
        self.register_buffer("seen", torch.zeros(5))
        self.work = work

    def forward(self, inputs):
        return self.work(self, inputs)


def remember(model, inputs):
    """Normalise by a running mean that is updated in evaluation mode too."""
    model.seen.mul_(0.9).add_(0.1 * inputs.mean(0))
    return model.fc(inputs - model.seen)


WORKS = {
    "dropout as a function": lambda model, x: model.fc(nn.functional.dropout(x)),
    "noise": lambda model, x: model.fc(x + torch.randn_like(x)),
    "a running mean": remember,
    "inputs changed in place": lambda model, x: model.fc(x.mul_(1.1)),
}


def moved(problem, path):
    """Record two points."""
    with torch.no_grad(), Recorder(path, problem.model) as recorder:
        problem.model.fc.weight.mul_(1.1)
        recorder.record()


def split():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(7, 5, generator=generator), torch.arange(7) % 3


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_another_value_the_second_time(tmp_path, work):
    problem = Problem(Wrapped(work), CROSS_ENTROPY, {"train": split()})
    moved(problem, tmp_path / "run")
    with pytest.raises(MismatchError, match="another one when it is computed again"):
        lca.compute(tmp_path / "run", tmp_path / "store", problem)
    assert not (tmp_path / "store").exists()


def test_dropout_as_a_module_is_off(tmp_path):
    dropped = nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.5), nn.RReLU(), nn.Linear(4, 3))
    problem = Problem(Wrapped(lambda model, x: model.fc(x)), CROSS_ENTROPY, {"train": split()})
    problem.model.fc = dropped.train()
    with torch.no_grad(), Recorder(tmp_path / "run", problem.model) as recorder:
        dropped[0].weight.mul_(1.1)
        recorder.record()
    summary = lca.compute(tmp_path / "run", tmp_path / "store", problem)
    assert summary.splits[0].largest_residual < 1e-3
    assert summary.splits[0].loss_change != 0


def test_a_loss_that_asks_the_model_itself(tmp_path):
    model = Wrapped(lambda model, x: model.fc(x))
    regularised = lambda outputs, y: CROSS_ENTROPY(outputs, y) + model.fc.weight.square().sum()  # noqa: E731
    problem = Problem(model, regularised, {"train": split()})
    moved(problem, tmp_path / "run")
    with pytest.raises(MismatchError, match=r"'fc\.weight' from the problem's model by itself"):
        lca.compute(tmp_path / "run", tmp_path / "store", problem)


class Broken(torch.autograd.Function):
    """A function whose gradient fails."""

    @staticmethod
    def forward(ctx, inputs):
        return inputs.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise KeyError("no way back")


def test_a_gradient_that_fails(tmp_path):
    problem = Problem(Wrapped(lambda model, x: Broken.apply(model.fc(x))), CROSS_ENTROPY, {"train": split()})
    moved(problem, tmp_path / "run")
    with pytest.raises(MismatchError, match="gradient of the loss fails on split 'train': KeyError: 'no way back'"):
        lca.compute(tmp_path / "run", tmp_path / "store", problem)


def test_a_model_that_raises_what_it_likes(tmp_path):
    def picky(model, inputs):
        if len(inputs) == 1:
            raise KeyError("seventh")
        return model.fc(inputs)

    problem = Problem(Wrapped(picky), CROSS_ENTROPY, {"train": split()}, batch_size=6)
    moved(problem, tmp_path / "run")
    with pytest.raises(MismatchError, match="model or the loss fails on split 'train': KeyError: 'seventh'"):
        lca.compute(tmp_path / "run", tmp_path / "store", problem)
