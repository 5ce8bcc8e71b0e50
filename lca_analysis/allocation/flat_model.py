"""The problem's model with its parameters as stretches of one flat vector, and their gradients of another."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lca_analysis.allocation.devices import CPU, usable_device
from lca_analysis.allocation.layout import lay_out_parameters
from lca_analysis.allocation.matching import match_parameters, match_statistics
from lca_analysis.allocation.norms import set_norms
from lca_analysis.allocation.stretches import slices
from lca_analysis.errors import MismatchError
from lca_analysis.problems import Problem
from lca_analysis.recording.tensors import unwrap
from lca_analysis.trajectory import Run, TensorInfo, to_numbers


class FlatModel:
    """A copy of the problem's model that takes any recorded weights.

    All modules are in evaluation mode (no dropout). In "batch" normalization batch norm takes the statistics of what
    it is given; in "eval" normalization its running statistics are coordinates behind the parameters.

    Parameters
    ----------
    problem : Problem
        Its model is copied.
    run : Run
        Whose parameters are matched, and whose buffers the model takes.
    match : str
        "name" or "order".
    device : str
        Where it is evaluated, as torch names it; flat vectors that are given and taken stay on the processor.

    Attributes
    ----------
    module : torch.nn.Module
        The copy.
    layout : Layout
        Where each tensor lies in the flat vectors.
    device : torch.device
        Where the model and `weights` are.
    dtype : torch.dtype
        float64 when a recorded parameter is, else float32 (half precision is computed in float32).
    weights : Tensor[K]
        Parameters and running statistics, which `module` sees as its own.
    buffers : list of TensorInfo
        Recorded buffers that the loss may depend on, and that are no coordinates.
    """

    def __init__(self, problem: Problem, run: Run, match: str, device: str = CPU) -> None:
        double = any(tensor.dtype == "float64" for tensor in run.parameters)
        self.dtype = torch.float64 if double else torch.float32
        self.device = usable_device(device)
        self.module = _copied(problem.model).to(self.device, self.dtype)
        names = match_parameters(run, self.module, match)
        moving = set_norms(self.module.eval(), problem.normalization)
        tensors = [*run.parameters, *match_statistics(run, self.module, moving, match)]
        names += moving
        owners = [self.module.get_submodule(name.rpartition(".")[0]) for name in names]
        self.layout = lay_out_parameters(tensors, owners)
        self.weights = torch.zeros(self.layout.size, dtype=self.dtype, device=self.device)
        self._parameters = [self.module.get_parameter(name) for name in names]
        self._names = names
        self._attach()
        kept = dict(self.module.named_buffers())
        self.buffers = [tensor for tensor in run.tensors if tensor.role == "buffer" and tensor.name in kept]
        self._held = self._hold_buffers(run, kept)

    @property
    def names(self) -> list[str]:
        """Names of the recorded tensors that `flatten` and `check_buffers` read."""
        return [place.tensor.name for place in self.layout.places] + [tensor.name for tensor in self.buffers]

    def flatten(self, recorded: Mapping[str, NDArray[Any]]) -> torch.Tensor:
        """Make a flat vector of recorded tensors.

        Parameters
        ----------
        recorded : mapping of str to ndarray
            Recorded tensors by name; bfloat16 as uint16 words.

        Returns
        -------
        Tensor[K]
            A new vector.
        """
        flat = np.empty(self.layout.size, np.float64 if self.dtype is torch.float64 else np.float32)
        for place in self.layout.places:
            flat[place.slice] = _numbers(place.tensor, recorded).reshape(-1)
        return torch.from_numpy(flat)

    def load(self, start: torch.Tensor, end: torch.Tensor | None = None, fraction: float = 0.0) -> None:
        """Take given weights, or those at a fraction of the way from one point to another.

        Parameters
        ----------
        start, end : Tensor[K]
            The points; without an end, the start itself is taken.
        fraction : float
            Of the way.
        """
        if end is None:
            self.weights.copy_(start)
            return
        for place in slices(0, len(start)):
            self.weights[place] = torch.add(start[place], end[place] - start[place], alpha=fraction)

    def check_buffers(self, recorded: Mapping[str, NDArray[Any]], iteration: int) -> None:
        """Raise MismatchError when a floating-point buffer has moved: the loss would not depend on θ alone."""
        for tensor in self.buffers:
            before, now = self._held[tensor.name], _numbers(tensor, recorded)
            if "float" in tensor.dtype and not np.array_equal(before, now, equal_nan=True):
                raise MismatchError(
                    f"the buffer {tensor.name!r} differs between the run's first point and iteration {iteration}; "
                    "loss change can be allocated only where the loss depends on the parameters alone: build the "
                    "problem's model without this buffer, or with it fixed"
                )

    def named(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """Give the stretches of a flat vector as tensors by the model's names, as `functional_call` takes them."""
        moved = flat.to(self.device)
        return {
            name: moved[place.slice].view(place.tensor.shape)
            for name, place in zip(self._names, self.layout.places, strict=True)
        }

    def collect(self, gradient: torch.Tensor) -> None:
        """Let backward passes add to a flat vector, Tensor[K], from now on."""
        for place, parameter in zip(self.layout.places, self._parameters, strict=True):
            parameter.grad = gradient[place.slice].view(place.tensor.shape)

    def _attach(self) -> None:
        """Make each parameter a stretch of the flat vector."""
        for place, parameter in zip(self.layout.places, self._parameters, strict=True):
            parameter.data = self.weights[place.slice].view(place.tensor.shape)
            # Frozen parameters too: LCA asks for the path and the gradient, not for who was trained.
            parameter.requires_grad_(True)

    def _hold_buffers(self, run: Run, kept: dict[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
        """Give the model the buffers of the run's first point."""
        if not self.buffers:
            return {}
        recorded = run.weights(int(run.iterations[0]), [tensor.name for tensor in self.buffers])
        held = {tensor.name: _numbers(tensor, recorded) for tensor in self.buffers}
        for tensor in self.buffers:
            if tuple(kept[tensor.name].shape) != tensor.shape:
                raise MismatchError(
                    f"{run.path}: buffer {tensor.name!r} was recorded with shape {tensor.shape}, but the problem's "
                    f"model has {tuple(kept[tensor.name].shape)}: it is another model"
                )
            kept[tensor.name].copy_(torch.from_numpy(held[tensor.name]))
        return held


def _copied(model: nn.Module) -> nn.Module:
    """Copy a model, so that the user's own keeps its weights and mode."""
    try:
        return copy.deepcopy(unwrap(model))
    except RuntimeError as error:
        raise MismatchError(f"the problem's model cannot be copied: {error}") from error


def _numbers(tensor: TensorInfo, recorded: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Give the numbers of a recorded tensor."""
    return to_numbers(recorded[tensor.name], tensor.dtype)
