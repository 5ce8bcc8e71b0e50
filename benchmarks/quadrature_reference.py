"""Nearly exact LCA of recorded steps: plain PyTorch, 33 gradients a step, nothing of the engine's."""

import copy
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lca_analysis.disk import appearing
from lca_analysis.problems import Problem
from lca_analysis.trajectory import Run

PIECES = 16
NODES = 2 * PIECES + 1


@dataclass(frozen=True)
class Reference:
    """What the reference found on a run.

    Attributes
    ----------
    tensors : list of str
        Names of the parameters.
    lca : ndarray[iterations, tensors], loss units
        Their LCA.
    helping : ndarray[iterations]
        Share of single parameters that help, of those whose LCA is not 0.
    losses : ndarray[iterations, NODES], loss units
        Loss at every node.
    changes : ndarray[iterations, NODES, tensors], loss units
        Step times gradient at every node, summed over each tensor: any rule on these nodes is a weighted sum of them.
    """

    tensors: list[str]
    lca: NDArray[np.float64]
    helping: NDArray[np.float64]
    losses: NDArray[np.float64]
    changes: NDArray[np.float64]


def reference(run: Run, problem: Problem, split: str, dtype: torch.dtype, folder: Path) -> Reference:
    """Integrate every step with Simpson's rule on 16 pieces; a step that the folder has is taken from there."""
    loss = _SplitLoss(problem, split, dtype)
    points = [loss.point(run, int(iteration)) for iteration in run.iterations]
    steps = []
    for number, (before, after) in enumerate(itertools.pairwise(points)):
        file = folder / f"step{number:04}-{str(dtype).removeprefix('torch.')}.npz"
        if not file.exists():
            share, losses, changes = _step(loss, before, after)
            with appearing(file) as out:
                np.savez(out, share=share, losses=losses, changes=changes)
        with np.load(file) as read:
            steps.append([read[name] for name in ("share", "losses", "changes")])
    shares, losses, changes = (np.array(values) for values in zip(*steps, strict=True))
    return Reference(loss.names, np.einsum("n,tnk->tk", _weights(), changes), shares, losses, changes)


def _weights() -> NDArray[np.float64]:
    """Weights of Simpson's rule on 16 pieces."""
    weights = np.full(NODES, 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    return weights / (6 * PIECES)


def _step(loss: "_SplitLoss", start: list[torch.Tensor], end: list[torch.Tensor]) -> tuple[float, list[float], list]:
    """Give the share of parameters that help in one step, and at every node the loss and the change by tensor."""
    step = [after - before for before, after in zip(start, end, strict=True)]
    mean = [torch.zeros_like(values) for values in step]
    losses, changes = [], []
    for node, weight in enumerate(_weights()):
        place = [before + node / (NODES - 1) * change for before, change in zip(start, step, strict=True)]
        value, gradients = loss.gradient(place)
        losses.append(value)
        changes.append([float((change * slope).sum()) for change, slope in zip(step, gradients, strict=True)])
        for sums, gradient in zip(mean, gradients, strict=True):
            sums.add_(gradient, alpha=float(weight))
    allocated = torch.cat([(change * slope).flatten() for change, slope in zip(step, mean, strict=True)])
    return float((allocated < 0).sum() / (allocated != 0).sum()), losses, changes


class _SplitLoss:
    """The mean loss of a split, in chunks of the problem's batch size."""

    def __init__(self, problem: Problem, split: str, dtype: torch.dtype) -> None:
        inputs, targets = problem.split(split)
        self._dtype = dtype
        self._model = copy.deepcopy(problem.model).to(dtype).eval()
        for module in self._model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train()
        self._loss, self._examples = problem.loss, len(inputs)
        size = problem.batch_size
        self._chunks = list(zip(inputs.to(dtype).split(size), targets.split(size), strict=True))
        self.names = [name for name, _ in self._model.named_parameters()]

    def point(self, run: Run, iteration: int) -> list[torch.Tensor]:
        """Give the recorded parameters."""
        weights = run.weights(iteration, self.names)
        return [torch.tensor(weights[name], dtype=self._dtype) for name in self.names]

    def gradient(self, place: list[torch.Tensor]) -> tuple[float, list[torch.Tensor]]:
        """Compute the loss and its gradient."""
        with torch.no_grad():
            for parameter, values in zip(self._model.parameters(), place, strict=True):
                parameter.copy_(values)
        self._model.zero_grad(set_to_none=False)
        total = 0.0
        for inputs, targets in self._chunks:
            value = self._loss(self._model(inputs), targets).sum() / self._examples
            value.backward()
            total += float(value.detach())
        return total, [torch.zeros_like(p) if p.grad is None else p.grad for p in self._model.parameters()]
