"""Where a model keeps its recorded tensors: found once, looked up at every step."""

from typing import Any

import torch
from torch import nn

from lca_analysis.errors import MismatchError


class TensorSlots:
    """The places of named tensors in a model's modules.

    A lookup at every step by `named_parameters` costs more than the copy of a small model. So the dictionaries
    that hold the tensors are kept, together with the dictionaries that lead to them: as long as those hold the
    same modules, only the tensors themselves are read.
    """

    def __init__(self, model: nn.Module, names: list[str]) -> None:
        self._model = model
        self._names = names
        self._links: list[tuple[dict[str, Any], str, nn.Module]] = []
        self._places: list[tuple[dict[str, Any], str]] = []
        self._find()

    def tensors(self) -> list[torch.Tensor]:
        """Read the tensors as they are now, in the order of the names.

        Raises
        ------
        MismatchError
            One is no longer part of the model.
        """
        for children, key, child in self._links:
            if children.get(key) is not child:
                self._find()
                break
        found: list[Any] = [holder.get(key) for holder, key in self._places]
        if any(tensor is None for tensor in found):
            raise self._missing(next(name for name, tensor in zip(self._names, found, strict=True) if tensor is None))
        return found

    def _find(self) -> None:
        """Find the dictionaries anew."""
        links: dict[str, tuple[dict[str, Any], str, nn.Module]] = {}
        self._places = []
        for name in self._names:
            *path, attribute = name.split(".")
            owner = self._model
            for depth, key in enumerate(path):
                children: dict[str, Any] = owner._modules
                if (child := children.get(key)) is None:
                    raise self._missing(name)
                links[".".join(path[: depth + 1])] = (children, key, child)
                owner = child
            is_parameter = attribute in owner._parameters
            self._places.append((owner._parameters if is_parameter else owner._buffers, attribute))
        self._links = list(links.values())

    def _missing(self, name: str) -> MismatchError:
        """Say which tensor has gone."""
        return MismatchError(f"{name} is no longer part of the model")
