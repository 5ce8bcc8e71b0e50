"""Small problems whose gradients an oracle can compute one by one; their splits do not divide into equal chunks."""

import multiprocessing
import os

import torch
from torch import nn

from lca_analysis.problems import Problem

CROSS_ENTROPY = nn.CrossEntropyLoss(reduction="none")


def _classification(shape, seed, train=23, validation=9):
    generator = torch.Generator().manual_seed(100 + seed)
    inputs = torch.randn(train + validation, *shape, generator=generator)
    targets = torch.randint(0, 3, (train + validation,), generator=generator)
    return {"train": (inputs[:train], targets[:train]), "validation": (inputs[train:], targets[train:])}


def _problem(model, splits, dtype, **arguments):
    kind = getattr(torch, dtype)
    splits = {name: (inputs.to(kind), targets) for name, (inputs, targets) in splits.items()}
    return Problem(model.to(kind), CROSS_ENTROPY, splits, batch_size=10, **arguments)


def mlp(dtype="float32", seed=0, classes=None):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
    return _problem(model, _classification((5,), seed), dtype, classes=classes)


def by_class():
    """The MLP, saying how many classes there are."""
    problem = mlp()
    problem.classes = 3
    return problem


def conv(dtype="float32", seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.Softplus(),
        nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(24, 3),
    )
    return _problem(model, _classification((2, 5, 5), seed), dtype)


def flattened(dtype="float32", seed=0):
    torch.manual_seed(seed)
    layers = {"conv1": nn.Conv2d(2, 4, (3, 2)), "act": nn.Tanh(), "flat": nn.Flatten(), "fc1": nn.Linear(48, 3)}
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return _problem(model, _classification((2, 5, 5), seed), dtype)


def batch_norm(dtype="float32", seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.Softplus(),
        nn.Flatten(),
        nn.Linear(36, 5, bias=False),
        nn.BatchNorm1d(5),
        nn.Tanh(),
        nn.Linear(5, 3),
    )
    return _problem(model, _classification((2, 5, 5), seed), dtype)


def noisy_data(dtype="float32"):
    """A problem that no two processes build alike."""
    inputs = torch.rand(4, 5, generator=torch.Generator().manual_seed(torch.seed()))
    return Problem(nn.Linear(5, 3), CROSS_ENTROPY, {"train": (inputs, torch.zeros(4, dtype=torch.long))})


def deadly(process=None):
    """A problem whose building ends any process but the one that recorded it."""
    if process == "worker" and multiprocessing.parent_process() is not None:
        os._exit(1)
    return mlp()


class Power(nn.Module):
    """Gives θ; with `power_loss` the loss is Σ_i a_i (θ_i − x_i)^p, whose allocation is known exactly."""

    def __init__(self, size):
        super().__init__()
        self.theta = nn.Parameter(torch.linspace(-0.7, 0.9, size, dtype=torch.float64))

    def forward(self, inputs):
        return self.theta.expand(len(inputs), -1)


SCALES = torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64)


def power(exponent=2):
    centers = torch.tensor([[0.1, -0.2, 0.3], [0.0, 0.4, -0.5], [0.2, 0.1, 0.6]], dtype=torch.float64)

    def loss(outputs, targets):
        return (SCALES * (outputs - targets) ** exponent).sum(1)

    return Problem(Power(3), loss, {"train": (centers, centers)}, batch_size=2)
