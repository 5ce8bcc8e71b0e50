"""The problem's model with its parameters as stretches of one flat vector, and their gradients of another."""

import copy
from collections.abc import Iterator, Mapping
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
from lca_analysis.allocation.vectors import vectors_of
from lca_analysis.errors import MismatchError
from lca_analysis.problems import Problem
from lca_analysis.recording.tensors import unwrap
from lca_analysis.trajectory import Run, TensorInfo, to_numbers

_CACHE_LINE = 64  # bytes: where torch begins its own tensors


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
        Where the model is.
    dtype : torch.dtype
        float64 when a recorded parameter is, else float32 (half precision is computed in float32).
    buffers : list of TensorInfo
        Recorded buffers that the loss may depend on, and that are no coordinates.
    """

    def __init__(self, problem: Problem, run: Run, match: str, device: str = CPU) -> None:
        double = any(tensor.dtype == "float64" for tensor in run.parameters)
        self.dtype = torch.float64 if double else torch.float32
        self.device = usable_device(device)
        self.module = without_weights(problem.model).to(self.device, self.dtype)
        names = match_parameters(run, self.module, match)
        moving = set_norms(self.module.eval(), problem.normalization)
        tensors = [*run.parameters, *match_statistics(run, self.module, moving, match)]
        names += moving
        owners = [self.module.get_submodule(name.rpartition(".")[0]) for name in names]
        self.layout = lay_out_parameters(tensors, owners)
        self._parameters = [self.module.get_parameter(name) for name in names]
        for parameter in self._parameters:
            # Frozen parameters too: LCA asks for the path and the gradient, not for who was trained.
            parameter.requires_grad_(True)
        self._nothing = [parameter.data for parameter in self._parameters]
        self._names = names
        self._copies = vectors_of(self.layout.size, self.dtype)
        kept = dict(self.module.named_buffers())
        self.buffers = [tensor for tensor in run.tensors if tensor.role == "buffer" and tensor.name in kept]
        self._held = self._hold_buffers(run, kept)

    @property
    def names(self) -> list[str]:
        """Names of the recorded tensors that `flatten` and `check_buffers` read."""
        return [place.tensor.name for place in self.layout.places] + [tensor.name for tensor in self.buffers]

    def flatten(self, recorded: Mapping[str, NDArray[Any]]) -> torch.Tensor:
        """Make a flat vector of recorded tensors, or see them as one where they lie in memory like one.

        Parameters
        ----------
        recorded : mapping of str to ndarray
            Recorded tensors by name; bfloat16 as uint16 words.

        Returns
        -------
        Tensor[K]
            The vector.
        """
        tensors = [_numbers(place.tensor, recorded) for place in self.layout.places]
        whole = one_behind_the_other(tensors, torch.empty(0, dtype=self.dtype).numpy().dtype)
        if whole is not None:
            return torch.from_numpy(whole)
        flat = self._copies.take()
        for place, tensor in zip(self.layout.places, tensors, strict=True):
            flat.numpy()[place.slice] = tensor.reshape(-1)
        return flat

    def load(self, start: torch.Tensor, end: torch.Tensor | None = None, fraction: float = 0.0) -> None:
        """Take given weights, or those at a fraction of the way from one point to another.

        Weights on the processor are not copied: the model sees what becomes of them.

        Parameters
        ----------
        start, end : Tensor[K]
            The points; without an end, the start itself is taken.
        fraction : float
            Of the way.
        """
        if end is not None:
            between = self._copies.take()
            for place in slices(0, len(start)):
                between[place] = torch.add(start[place], end[place] - start[place], alpha=fraction)
            start = between
        self._attach(start.to(self.device))

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
        for parameter, part in self._parts(gradient):
            parameter.grad = part

    def let_go(self) -> None:
        """Let go of the weights, and of the vector that backward passes added to."""
        for parameter, nothing in zip(self._parameters, self._nothing, strict=True):
            parameter.grad, parameter.data = None, nothing

    def _attach(self, weights: torch.Tensor) -> None:
        """Make each parameter a stretch of a flat vector."""
        for parameter, part in self._parts(weights):
            parameter.data = part

    def _parts(self, flat: torch.Tensor) -> Iterator[tuple[nn.Parameter, torch.Tensor]]:
        """Give each parameter with its stretch of a flat vector."""
        places = self.layout.places
        parts = flat.split_with_sizes([place.tensor.size for place in places])
        for parameter, part, place in zip(self._parameters, parts, places, strict=True):
            yield parameter, part.view(place.tensor.shape)

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


def without_weights(model: nn.Module) -> nn.Module:
    """Copy a model, so that the user's own keeps its weights and mode; parameters are zeros that take no memory."""
    inner = unwrap(model)
    light = {id(parameter): _without_numbers(parameter) for parameter in inner.parameters() if _is_plain(parameter)}
    found = {id(tensor): tensor.detach().clone() for tensor in _computed(inner)}
    try:
        return copy.deepcopy(inner, {**light, **found})
    except RuntimeError as error:
        raise MismatchError(f"the problem's model cannot be copied: {error}") from error


def _computed(model: nn.Module) -> Iterator[torch.Tensor]:
    """Find what modules keep of a forward pass, as the old `weight_norm` does: torch copies no such tensors."""
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                yield value


def forget_weights(model: nn.Module) -> None:
    """Give back the memory of a model's parameters: for one that was built only to be copied `without_weights`."""
    for parameter in unwrap(model).parameters():
        if _is_plain(parameter):
            parameter.data = _without_numbers(parameter).data


def _is_plain(parameter: nn.Parameter) -> bool:
    """Whether a parameter is of no class of its own, such as those of lazy modules."""
    return type(parameter) is nn.Parameter


def _without_numbers(parameter: nn.Parameter) -> nn.Parameter:
    """Make a parameter of the same shape whose numbers are all the same one in memory."""
    return nn.Parameter(parameter.detach().new_zeros(()).expand(parameter.shape), parameter.requires_grad)


def one_behind_the_other(arrays: list[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """See arrays that lie one behind the other in one memory, from where a cache line begins, as one; else None."""
    filled = [array for array in arrays if array.size]
    if not filled or filled[0].base is None:
        return None
    place = _address(filled[0])
    if place % _CACHE_LINE:
        return None
    for array in filled:
        is_next = array.base is filled[0].base and _address(array) == place
        if not is_next or array.dtype != dtype or not array.flags.c_contiguous:
            return None
        place += array.nbytes
    return np.lib.stride_tricks.as_strided(filled[0].reshape(-1), (sum(array.size for array in filled),))


def _address(array: NDArray[Any]) -> int:
    """Give the place of an array in memory."""
    return int(array.__array_interface__["data"][0])


def _numbers(tensor: TensorInfo, recorded: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Give the numbers of a recorded tensor."""
    return to_numbers(recorded[tensor.name], tensor.dtype)
