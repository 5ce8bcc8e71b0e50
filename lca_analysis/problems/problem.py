"""Problem: what a run was trained on, as the allocation needs it."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset, default_collate

from lca_analysis.errors import ArgumentError, NotFoundError
from lca_analysis.trajectory import ProblemReference

Loss = Callable[[Any, torch.Tensor], torch.Tensor]
Split = tuple[torch.Tensor, torch.Tensor]


@dataclass
class Problem:
    """A model, a loss per example, and the data splits that the loss is taken over.

    Parameters
    ----------
    model : torch.nn.Module
        The model; computing replaces its weights by recorded ones.
    loss : callable
        ``loss(model(inputs), targets)`` gives Tensor[N], one value per example; the mean is taken elsewhere.
    splits : mapping of str to (Tensor[N, ...], Tensor[N, ...]) or map-style Dataset
        Inputs and targets of each split, in a fixed order. Datasets are read once, into memory.
    batch_size : int
        Examples that are evaluated together. In "batch" mode it is a part of the definition of the loss: each
        chunk of so many examples, in order, is normalised by its own statistics.
    normalization : str
        "batch": batch-norm layers use the statistics of the evaluated chunk, so that the loss is a function of
        the parameters alone (Lan et al. 2019). "eval": they use running statistics.
    classes : int, optional
        Number of classes, when targets are class numbers.

    Attributes
    ----------
    reference : ProblemReference or None
        How to build the problem again; set by `build_problem`.

    Raises
    ------
    ArgumentError
        An argument is not of its form, a split is empty, or inputs and targets differ in number.
    """

    model: nn.Module
    loss: Loss
    splits: Mapping[str, Split | Dataset[Any]]
    batch_size: int = 1000
    normalization: str = "batch"
    classes: int | None = None
    reference: ProblemReference | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Check the arguments and read the data sets."""
        if not isinstance(self.model, nn.Module):
            raise ArgumentError(f"model must be a torch.nn.Module, not {type(self.model).__name__}")
        if not callable(self.loss):
            raise ArgumentError("loss must be callable: loss(outputs, targets) -> Tensor[N]")
        if self.normalization not in ("batch", "eval"):
            raise ArgumentError(f'normalization must be "batch" or "eval", not {self.normalization!r}')
        if not isinstance(self.batch_size, int) or self.batch_size < 1:
            raise ArgumentError(f"batch_size must be a whole number of 1 or more, not {self.batch_size!r}")
        if not self.splits:
            raise ArgumentError('splits is empty; give at least one, such as {"train": (inputs, targets)}')
        for name in self.splits:
            if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
                raise ArgumentError(
                    f"a split cannot be named {name!r}: it becomes a folder's name; use letters, digits, - and _"
                )
        self.splits = {name: _as_tensors(name, split) for name, split in self.splits.items()}

    def split(self, name: str) -> Split:
        """Give the inputs and targets of a split.

        Parameters
        ----------
        name : str
            Name of the split.

        Returns
        -------
        inputs, targets : Tensor[N, ...]
            The examples in their fixed order.

        Raises
        ------
        NotFoundError
            There is no such split.
        """
        if name not in self.splits:
            raise NotFoundError(f"the problem has no split {name!r}; it has: {', '.join(self.splits)}")
        examples = self.splits[name]
        if not isinstance(examples, tuple):
            raise TypeError("splits are tensors once the problem is made")
        return examples

    def fingerprint(self, name: str) -> str:
        """Compute the SHA-256 of a split: of dtype, shape and bytes of inputs and targets.

        Parameters
        ----------
        name : str
            Name of the split.

        Returns
        -------
        str
            64 hexadecimal digits, the same on every machine of the same byte order.
        """
        digest = hashlib.sha256()
        for tensor in self.split(name):
            plain = tensor.detach().cpu().contiguous()
            digest.update(f"{plain.dtype} {tuple(plain.shape)};".encode())
            digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def check_loss(self) -> None:
        """Raise ArgumentError unless the loss gives one value per example, on two examples of the first split."""
        inputs, targets = self.split(next(iter(self.splits)))
        count = min(2, len(inputs))
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            with torch.no_grad():
                values = self.loss(self.model(inputs[:count]), targets[:count])
        except Exception as error:
            raise ArgumentError(
                f"loss(model(inputs), targets) raised {type(error).__name__}: {error}; it was given inputs of shape "
                f"{tuple(inputs[:count].shape)} and targets of shape {tuple(targets[:count].shape)}"
            ) from error
        finally:
            for module, training in modes:
                module.training = training
        if not isinstance(values, torch.Tensor) or values.shape != (count,):
            shape = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
            raise ArgumentError(
                f"loss must give one value per example, Tensor[{count}] for {count} examples, not {shape}; "
                'with torch losses use reduction="none"'
            )


def _as_tensors(name: str, split: Split | Dataset[Any]) -> Split:
    """Check a split, or read a data set into tensors."""
    if isinstance(split, Dataset):
        inputs, targets = _read(name, split)
    elif isinstance(split, tuple | list) and len(split) == 2 and all(isinstance(part, torch.Tensor) for part in split):
        inputs, targets = split
    else:
        raise ArgumentError(f"split {name!r} must be (inputs, targets) tensors or a map-style Dataset")
    if not inputs.ndim or not targets.ndim:
        raise ArgumentError(f"split {name!r} holds a single number; its tensors need a first dimension of examples")
    if len(inputs) != len(targets):
        raise ArgumentError(f"split {name!r} has {len(inputs)} inputs but {len(targets)} targets")
    if not len(inputs):
        raise ArgumentError(f"split {name!r} is empty")
    return inputs, targets


def _read(name: str, dataset: Dataset[Any]) -> Split:
    """Read a map-style data set once."""
    if not hasattr(dataset, "__len__"):
        raise ArgumentError(f"split {name!r}: an iterable Dataset has no fixed order; give a map-style one")
    if not len(dataset):
        raise ArgumentError(f"split {name!r} is empty")
    try:
        items = default_collate([dataset[index] for index in range(len(dataset))])
    except Exception as error:
        raise ArgumentError(
            f"split {name!r}: its items cannot be read and stacked into tensors: {type(error).__name__}: {error}"
        ) from error
    if (
        not isinstance(items, tuple | list)
        or len(items) != 2
        or not all(isinstance(part, torch.Tensor) for part in items)
    ):
        raise ArgumentError(f"split {name!r}: each item of the Dataset must be (input, target), tensors or numbers")
    return items[0], items[1]
