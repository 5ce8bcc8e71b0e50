"""Nearly exact LCA of recorded steps: plain PyTorch in float64, 33 gradients a step, nothing of the engine's."""

import copy
import itertools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lca_analysis.problems import Problem
from lca_analysis.trajectory import Run

PIECES = 16


@dataclass(frozen=True)
class Reference:
    """LCA by step and tensor, and the share of parameters that help, of those whose LCA is not 0."""

    tensors: list[str]
    lca: NDArray[np.float64]
    helping: NDArray[np.float64]


def reference(run: Run, problem: Problem) -> Reference:
    """Integrate every step with Simpson's rule on 16 pieces."""
    model = _double(problem.model)
    names = [name for name, _ in model.named_parameters()]
    points = [_point(run, int(iteration), names) for iteration in run.iterations]
    sums, shares = [], []
    for before, after in itertools.pairwise(points):
        step = [end - start for start, end in zip(before, after, strict=True)]
        mean = _mean_gradient(model, problem, before, step)
        lca = [change * gradient for change, gradient in zip(step, mean, strict=True)]
        sums.append([float(values.sum()) for values in lca])
        helping, hurting = (sum(int(found(values).sum()) for values in lca) for found in (_negative, _positive))
        shares.append(helping / (helping + hurting))
    return Reference(names, np.array(sums), np.array(shares))


def _negative(values: torch.Tensor) -> torch.Tensor:
    return values < 0


def _positive(values: torch.Tensor) -> torch.Tensor:
    return values > 0


def _double(model: nn.Module) -> nn.Module:
    """Copy a model in float64: dropout off, batch norm normalising what it is given."""
    copied = copy.deepcopy(model).double().eval()
    for module in copied.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()
    return copied


def _point(run: Run, iteration: int, names: list[str]) -> list[torch.Tensor]:
    """Give the recorded parameters in float64."""
    weights = run.weights(iteration, names)
    return [torch.from_numpy(weights[name].astype(np.float64)) for name in names]


def _mean_gradient(
    model: nn.Module, problem: Problem, start: list[torch.Tensor], step: list[torch.Tensor]
) -> list[torch.Tensor]:
    """Integrate the gradient along one step, node after node."""
    total = [torch.zeros_like(values) for values in start]
    for node in range(2 * PIECES + 1):
        weight = (1 if node in (0, 2 * PIECES) else 4 if node % 2 else 2) / (6 * PIECES)
        with torch.no_grad():
            for parameter, values, change in zip(model.parameters(), start, step, strict=True):
                parameter.copy_(values + node / (2 * PIECES) * change)
        for sums, gradient in zip(total, _gradient(model, problem), strict=True):
            sums.add_(gradient, alpha=weight)
    return total


def _gradient(model: nn.Module, problem: Problem) -> list[torch.Tensor]:
    """Take the gradient of the mean loss over the training split, in chunks of the problem's batch size."""
    inputs, targets = problem.split("train")
    model.zero_grad(set_to_none=False)
    for begin in range(0, len(inputs), problem.batch_size):
        chunk = slice(begin, begin + problem.batch_size)
        losses = problem.loss(model(inputs[chunk].double()), targets[chunk])
        (losses.sum() / len(inputs)).backward()
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
