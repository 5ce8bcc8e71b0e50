"""The loss of a whole split and its gradient, at any point of parameter space."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn

from lca_analysis.allocation.chunks import class_chunks, class_numbers, mixed_chunks, whole_chunks
from lca_analysis.allocation.devices import CPU
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.allocation.norms import uses_batch_statistics
from lca_analysis.allocation.vectors import vectors_of
from lca_analysis.errors import MismatchError
from lca_analysis.problems import Problem

# Measured: chunks whose activations fit the cache are up to twice as fast as large ones.
_CONVOLUTION_CHUNK, _LARGEST_CHUNK = 125, 2000
_PLANAR = (nn.Conv2d, nn.ConvTranspose2d)
_CONVOLUTIONS = (*_PLANAR, nn.Conv1d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose3d)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one torch thread: sums then have one order, so every worker gives the same bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def chunk_size(model: nn.Module, batch_size: int, device: str = CPU) -> int:
    """Examples that are evaluated together.

    Parameters
    ----------
    model : torch.nn.Module
        The model.
    batch_size : int
        The problem's.
    device : str
        Type of the device that evaluates.

    Returns
    -------
    int
        Exactly the batch size where batch statistics make it a part of the loss; elsewhere at most so many, and no more
        than is fast.
    """
    if uses_batch_statistics(model) or device != CPU:
        return batch_size
    convolves = any(isinstance(module, _CONVOLUTIONS) for module in model.modules())
    return min(batch_size, _CONVOLUTION_CHUNK if convolves else _LARGEST_CHUNK)


class SplitLoss:
    """L(θ) over a whole split, and ∂L/∂θ: the mean over all examples, each counted once, in the last chunk too.

    Parameters
    ----------
    problem : Problem
        Loss and data.
    split : str
        Name of the split.
    model : FlatModel
        The problem's model.
    classes : bool
        Also tell apart what each class adds to the mean, (N_c/N) L_c.

    Attributes
    ----------
    examples : int
        Examples of the split.
    class_sizes : list of int
        Examples of each class; empty when classes are not told apart.
    shares : list of float, loss units
        What each class adds to the loss at the point evaluated last.
    evaluations : int
        Gradients computed so far.
    layout : Layout
        Of the parameters.
    """

    def __init__(self, problem: Problem, split: str, model: FlatModel, classes: bool = False) -> None:
        self.evaluations = 0
        self.layout = model.layout
        self.shares: list[float] = []
        self._split = split
        self._loss = problem.loss
        self._others = [(name, other) for name, other in problem.model.named_parameters() if other.requires_grad]
        self._model = model
        inputs, targets = (self._prepared(part) for part in problem.split(split))
        self.examples = len(inputs)
        # What an example's loss adds to the mean, and so the gradient to begin with.
        self._share = torch.tensor(1 / max(self.examples, 1), dtype=model.dtype, device=model.device)
        labels = class_numbers(problem, split) if classes else None
        count = problem.classes or 0
        self.class_sizes = [] if labels is None else torch.bincount(labels, minlength=count).tolist()
        self._shape = 1 + len(self.class_sizes), model.layout.size
        self._vectors = vectors_of(self._shape[0] * self._shape[1], model.dtype)
        size = chunk_size(model.module, problem.batch_size, model.device.type)
        together = uses_batch_statistics(model.module)
        if labels is not None and not together:
            order = torch.argsort(labels, stable=True)
            order = order.to(model.device)
            inputs, targets = inputs[order], targets[order]
        if _takes_channels_last(model.module, inputs):
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        labels = None if labels is None else labels.to(model.device)
        if labels is None:
            self._chunks = whole_chunks(inputs, targets, size)
        elif together:
            self._chunks = mixed_chunks(inputs, targets, labels, size)
        else:
            self._chunks = class_chunks(inputs, targets, self.class_sizes, size)

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
        self._model.load(weights)
        return self._evaluate(None)

    def gradient(
        self, weights: torch.Tensor, end: torch.Tensor | None = None, fraction: float = 0.0
    ) -> tuple[float, torch.Tensor]:
        """Compute the mean loss and its gradient.

        Parameters
        ----------
        weights : Tensor[K]
            Where.
        end : Tensor[K], optional
            Rather at a fraction of the way from ``weights`` to here.
        fraction : float
            Of the way.

        Returns
        -------
        loss : float
            Mean over all examples, summed in float64.
        gradient : Tensor[K], or Tensor[1 + classes, K]
            New, on the processor; zero where a parameter does not matter. Where classes are told apart, row 0 is the
            whole, the others are the gradients of what each class adds to it.
        """
        self.evaluations += 1
        rows = self._memory()
        self._model.load(weights, end, fraction)
        loss = self._evaluate(rows)
        self._model.let_go()
        if not self.class_sizes:
            return loss, rows[0].cpu()
        torch.sum(rows[1:], 0, out=rows[0])
        return loss, rows.cpu()

    def derivatives(self, weights: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        """Take the derivative of every example's loss in a direction, by forward-mode differentiation.

        Parameters
        ----------
        weights, direction : Tensor[K]
            Where, and which way.

        Returns
        -------
        Tensor[N] float64
            On the processor, in the split's order; classes must not be told apart.
        """
        point, tangent = self._model.named(weights), self._model.named(direction)
        found = []
        with warnings.catch_warnings():
            # torch compiles rules of forward mode, at their first use, in a way that it warns of itself.
            warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
            for chunk in self._chunks:
                here = partial(self._values, chunk.inputs, chunk.targets)
                found.append(torch.func.jvp(here, (point,), (tangent,))[1].detach())
        return torch.cat(found).cpu().double()

    def _memory(self) -> torch.Tensor:
        """Give memory on the device for gradients, with whatever is in it."""
        if self._model.device.type == CPU:
            return self._vectors.take(*self._shape)
        return torch.empty(self._shape, dtype=self._model.dtype, device=self._model.device)

    def _evaluate(self, rows: torch.Tensor | None) -> float:
        """Sum the losses over all chunks at the model's weights, and their gradients in rows."""
        sums: list[tuple[int, torch.Tensor]] = []
        row, empty = -1, set(range(0 if rows is None else len(rows)))
        with torch.set_grad_enabled(rows is not None):
            for chunk in self._chunks:
                values = self._values(chunk.inputs, chunk.targets)
                for number, (destination, where) in enumerate(chunk.parts):
                    if rows is not None and destination != row:
                        # Zeroed just before it is added to, a row is in the cache.
                        self._model.collect(rows[destination].zero_() if destination in empty else rows[destination])
                        row = destination
                        empty.discard(row)
                    part = values if where is None else values[where]
                    if rows is not None and part.requires_grad:
                        is_last = number + 1 == len(chunk.parts)
                        share = self._share.to(part.dtype).expand(len(part))
                        torch.autograd.backward(part, share, retain_graph=not is_last)
                    sums.append((destination, part.detach().sum(dtype=torch.float64)))
        if rows is not None:
            for number in empty:
                rows[number].zero_()
        return self._mean(sums)

    def _mean(self, sums: list[tuple[int, torch.Tensor]]) -> float:
        """Give the mean loss, and keep what each class adds; a GPU is waited for only once, here."""
        totals = [0.0] * (1 + len(self.class_sizes))
        values = torch.stack([value for _, value in sums]).tolist() if sums else []
        for (destination, _), value in zip(sums, values, strict=True):
            totals[destination] += value
        self.shares = [total / self.examples for total in totals[1:]]
        return sum(totals) / self.examples

    def check(self, weights: torch.Tensor) -> None:
        """Evaluate the first and the last chunk, so that what cannot be evaluated is found before the work begins.

        Raises
        ------
        MismatchError
            The model or the loss fails, the loss is not one value per example, or no function of the parameters alone.
        """
        self._model.load(weights)
        for chunk in (self._chunks[0], self._chunks[-1]):
            with torch.no_grad():
                self._check_repeatable(*(self._values(chunk.inputs, chunk.targets) for _ in range(2)))
        with torch.enable_grad():
            self._check_gradient(self._values(self._chunks[0].inputs, self._chunks[0].targets))

    def _check_repeatable(self, values: torch.Tensor, again: torch.Tensor) -> None:
        """Raise MismatchError when a loss is another one the second time."""
        inexact = 0.0 if self._model.device.type == CPU else 1e-4
        if not torch.allclose(values, again, inexact, inexact, equal_nan=True):
            raise MismatchError(
                f"the loss on split {self._split!r} is another one when it is computed again at the same weights: the "
                "model or the loss is random, remembers what it has seen, or changes its inputs in place (dropout as a "
                "function needs training=self.training); loss change can be allocated only where the loss depends on "
                "the parameters alone"
            )

    def _check_gradient(self, values: torch.Tensor) -> None:
        """Raise MismatchError when the gradient fails, or the loss asks the problem's own model: here, a copy moves."""
        parameters = [*(other for _, other in self._others), *self._model.module.parameters()]
        if not values.requires_grad:
            return
        try:
            found = torch.autograd.grad(values.sum(), parameters, allow_unused=True)
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise MismatchError(f"the gradient of the loss fails on split {self._split!r}: {reason}") from error
        for (name, _), gradient in zip(self._others, found, strict=False):
            if gradient is not None:
                raise MismatchError(
                    f"the loss takes {name!r} from the problem's model by itself, past the outputs, and would not see "
                    "the recorded weights; let the model's outputs carry what the loss needs"
                )

    def _prepared(self, part: torch.Tensor) -> torch.Tensor:
        """Bring inputs or targets to the device and the working precision, in memory that torch has aligned."""
        plain = part.detach().to(self._model.device)
        return plain.to(self._model.dtype, copy=True) if plain.is_floating_point() else plain.clone()

    def _values(
        self, inputs: torch.Tensor, targets: torch.Tensor, weights: dict[str, torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Compute the loss of every example of a chunk, at the model's own weights or at given ones."""
        module = self._model.module
        try:
            outputs = module(inputs) if weights is None else torch.func.functional_call(module, weights, (inputs,))
            values = self._loss(outputs, targets)
        except Exception as error:  # the user's own code may raise anything
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            hint = ""
            if "more than 1 value per channel" in reason:
                hint = f"; batch norm cannot take a chunk of {len(inputs)}: choose another batch_size for the Problem"
            raise MismatchError(f"the model or the loss fails on split {self._split!r}: {reason}{hint}") from error
        if values.shape != (len(inputs),):
            raise MismatchError(
                f"the loss gave shape {tuple(values.shape)} for {len(inputs)} examples of split {self._split!r}; "
                'it must give one value per example (with torch losses use reduction="none")'
            )
        return values


def _takes_channels_last(model: nn.Module, inputs: torch.Tensor) -> bool:
    """Whether images may lie in memory channels last, in which convolutions are faster; `view` can forbid it."""
    if inputs.dim() != 4 or not any(isinstance(module, _PLANAR) for module in model.modules()):
        return False
    try:
        with torch.no_grad():
            model(inputs[:2].contiguous(memory_format=torch.channels_last))
    except (RuntimeError, ValueError):
        return False
    return True
