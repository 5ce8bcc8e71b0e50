"""Cutting a split into chunks that are evaluated together, with what of each goes to which class."""

from dataclasses import dataclass

import torch

from lca_analysis.errors import ArgumentError
from lca_analysis.problems import Problem


@dataclass(frozen=True)
class Chunk:
    """Examples that are evaluated together.

    Attributes
    ----------
    inputs, targets : Tensor[n, ...]
        The examples.
    parts : tuple of (int, Tensor or None)
        For every row of gradients that the chunk adds to: the row, and the places of its examples (None: all).
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    parts: tuple[tuple[int, torch.Tensor | None], ...]


def whole_chunks(inputs: torch.Tensor, targets: torch.Tensor, size: int) -> list[Chunk]:
    """Cut a split into chunks of one size, in order; everything goes to row 0."""
    starts = range(0, len(inputs), size)
    return [Chunk(inputs[n : n + size], targets[n : n + size], ((0, None),)) for n in starts]


def class_chunks(inputs: torch.Tensor, targets: torch.Tensor, sizes: list[int], size: int) -> list[Chunk]:
    """Cut a split that is sorted by class, so that every chunk is of one class; class c goes to row 1 + c."""
    chunks, start = [], 0
    for label, count in enumerate(sizes):
        # As many chunks as needed, of equal lengths: a short one would cost almost what a full one does.
        for part in torch.arange(start, start + count).tensor_split(-(-count // size) or 1):
            if len(part):
                here = slice(int(part[0]), int(part[-1]) + 1)
                chunks.append(Chunk(inputs[here], targets[here], ((1 + label, None),)))
        start += count
    return chunks


def mixed_chunks(inputs: torch.Tensor, targets: torch.Tensor, labels: torch.Tensor, size: int) -> list[Chunk]:
    """Cut a split as `whole_chunks` does; within a chunk, the examples of class c go to row 1 + c.

    Where an example's loss depends on the others of its chunk, classes may not be evaluated apart.
    """
    chunks = []
    for chunk, here in zip(whole_chunks(inputs, targets, size), torch.split(labels, size), strict=True):
        parts = tuple((1 + label, torch.nonzero(here == label)[:, 0]) for label in torch.unique(here).tolist())
        chunks.append(Chunk(chunk.inputs, chunk.targets, parts))
    return chunks


def class_numbers(problem: Problem, split: str) -> torch.Tensor:
    """Give the class of every example of a split.

    Parameters
    ----------
    problem : Problem
        Its `classes` says how many there are.
    split : str
        Name of the split.

    Returns
    -------
    Tensor[N] int64
        Class numbers, from 0 on.

    Raises
    ------
    ArgumentError
        The problem does not say how many classes it has, or a target is not the number of one.
    """
    if problem.classes is None:
        raise ArgumentError("LCA by class needs the number of classes: make the problem with Problem(..., classes=...)")
    targets = problem.split(split)[1].detach().cpu()
    if targets.dim() != 1 or targets.is_floating_point() or targets.is_complex():
        raise ArgumentError(
            f"LCA by class needs targets that are class numbers, one an example; those of split {split!r} have shape "
            f"{tuple(targets.shape)} and type {targets.dtype}"
        )
    labels = targets.long()
    wrong = labels[(labels < 0) | (labels >= problem.classes)]
    if len(wrong):
        raise ArgumentError(
            f"split {split!r} has a target of {int(wrong[0])}, which is none of the {problem.classes} classes "
            f"(0 to {problem.classes - 1})"
        )
    return labels
