"""The loss of a whole split and its gradient, at any point of parameter space."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lca_analysis.allocation.layout import Layout, lay_out_parameters
from lca_analysis.allocation.matching import match_parameters
from lca_analysis.errors import MismatchError
from lca_analysis.problems import Problem
from lca_analysis.trajectory import Run, bfloat16_to_float32

_TRACKING = nn.modules.batchnorm._NormBase


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one torch thread: sums then have one order, so every worker gives the same bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class SplitLoss:
    """L(θ) over a whole split, and ∂L/∂θ.

    The model is a copy whose parameters are stretches of one flat vector, and their gradients of another. A split is
    evaluated in chunks of the problem's batch size; every example counts once, in the last chunk too. Modules are in
    evaluation mode (no dropout), except that in "batch" mode batch norm takes the statistics of the chunk and leaves
    its running statistics alone.

    Parameters
    ----------
    problem : Problem
        Model, loss and data; the model is copied.
    split : str
        Name of the split.
    run : Run
        Whose parameters are matched.
    match : str
        "name" or "order".

    Attributes
    ----------
    layout : Layout
        Where each tensor lies in the flat vector.
    dtype : torch.dtype
        float64 when a recorded parameter is, else float32 (half precision is computed in float32).
    examples : int
        Examples of the split.
    evaluations : int
        Gradients computed so far.
    """

    def __init__(self, problem: Problem, split: str, run: Run, match: str = "name") -> None:
        self.layout: Layout = lay_out_parameters(run.parameters)
        double = any(tensor.dtype == "float64" for tensor in run.parameters)
        self.dtype = torch.float64 if double else torch.float32
        self.evaluations = 0
        self._split = split
        self._loss = problem.loss
        self._model = copy.deepcopy(problem.model).to(self.dtype)
        _set_modes(self._model, problem.normalization)
        pairs = match_parameters(run, self._model, match)
        self._weights = torch.zeros(self.layout.size, dtype=self.dtype)
        self._gradient = torch.zeros(self.layout.size, dtype=self.dtype)
        self._attach([parameter for _, parameter in pairs])
        inputs, targets = problem.split(split)
        self.examples = len(inputs)
        inputs = inputs.to(self.dtype) if inputs.is_floating_point() else inputs
        if inputs.dim() == 4:
            # Convolutions are about twice as fast over channels-last images.
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        size = problem.batch_size
        self._chunks = list(zip(inputs.split(size), targets.split(size), strict=True))

    def flatten(self, weights: Mapping[str, NDArray[Any]]) -> torch.Tensor:
        """Make the flat vector of recorded tensors.

        Parameters
        ----------
        weights : mapping of str to ndarray
            Recorded tensors by name; bfloat16 as uint16 words.

        Returns
        -------
        Tensor[K]
            A new vector.
        """
        flat = np.empty(self.layout.size, np.float64 if self.dtype is torch.float64 else np.float32)
        for place in self.layout.places:
            values = weights[place.tensor.name].reshape(-1)
            flat[place.slice] = bfloat16_to_float32(values) if place.tensor.dtype == "bfloat16" else values
        return torch.from_numpy(flat)

    def loss(self, weights: torch.Tensor) -> float:
        """Compute the mean loss, without a gradient.

        Parameters
        ----------
        weights : Tensor[K]
            Where.

        Returns
        -------
        float
            Mean over all examples, summed in float64.
        """
        self._weights.copy_(weights)
        with torch.no_grad():
            return sum(float(self._values(*chunk).sum(dtype=torch.float64)) for chunk in self._chunks) / self.examples

    def gradient(self, weights: torch.Tensor) -> tuple[float, torch.Tensor]:
        """Compute the mean loss and its gradient.

        Parameters
        ----------
        weights : Tensor[K]
            Where.

        Returns
        -------
        loss : float
            Mean over all examples, summed in float64.
        gradient : Tensor[K]
            A new vector; zero where a parameter does not matter.
        """
        self.evaluations += 1
        self._weights.copy_(weights)
        self._gradient.zero_()
        total = 0.0
        for inputs, targets in self._chunks:
            values = self._values(inputs, targets)
            if values.requires_grad:
                torch.autograd.backward(values.sum() / self.examples)
            total += float(values.detach().sum(dtype=torch.float64))
        return total / self.examples, self._gradient.clone()

    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Compute the loss of every example of a chunk."""
        try:
            values = self._loss(self._model(inputs), targets)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            reason = " ".join(str(error).split())
            raise MismatchError(f"the model or the loss fails on split {self._split!r}: {reason}") from error
        if values.shape != (len(inputs),):
            raise MismatchError(
                f"the loss gave shape {tuple(values.shape)} for {len(inputs)} examples of split {self._split!r}; "
                'it must give one value per example (with torch losses use reduction="none")'
            )
        return values

    def _attach(self, parameters: list[nn.Parameter]) -> None:
        """Make each parameter and its gradient a stretch of the flat vectors."""
        for place, parameter in zip(self.layout.places, parameters, strict=True):
            parameter.data = self._weights[place.slice].view(place.tensor.shape)
            # Frozen parameters too: LCA asks for the path and the gradient, not for who was trained.
            parameter.requires_grad_(True)
            parameter.grad = self._gradient[place.slice].view(place.tensor.shape)


def _set_modes(model: nn.Module, normalization: str) -> None:
    """Put a model in evaluation mode, with batch norm as asked."""
    model.eval()
    tracking = [module for module in model.modules() if isinstance(module, _TRACKING) and module.track_running_stats]
    if tracking and normalization == "eval":
        raise MismatchError(
            "the model has running statistics, which change between checkpoints too, so that in 'eval' normalization "
            "the parameters alone do not account for the loss; use normalization='batch'"
        )
    for module in model.modules():
        if isinstance(module, _TRACKING):
            module.train()
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
