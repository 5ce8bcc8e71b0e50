"""What the image data have in common: splitting, scaling, limits."""

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.errors import ArgumentError
from lca_analysis.problems.problem import Split

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def to_split(images: NDArray[np.uint8], labels: NDArray[np.uint8], shape: tuple[int, ...]) -> Split:
    """Turn bytes into a split: float32 images scaled to [0, 1], int64 labels."""
    scaled = images.reshape(-1, *shape).astype(np.float32) / np.float32(255)
    return torch.from_numpy(scaled), torch.from_numpy(labels.astype(np.int64))


def per_class(labels: NDArray[np.uint8], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split positions into the last `count` of every class and the others, each going round the classes."""
    rank = np.zeros(len(labels), dtype=np.intp)
    is_last = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        positions = np.flatnonzero(labels == label)
        rank[positions] = np.arange(len(positions))
        is_last[positions[-count:]] = True
    # A data set sorted by class would make chunks of one class. No random numbers: their streams may change with
    # numpy's version, and the fingerprints of old runs with them.
    order = np.lexsort((labels, rank))
    return order[~is_last[order]], order[is_last[order]]


def limit(split: Split, examples: int | None, name: str) -> Split:
    """Keep the first examples of a split; None keeps all."""
    if examples is None:
        return split
    if not 1 <= examples <= len(split[0]):
        raise ArgumentError(f"{name} must be from 1 to {len(split[0])}, not {examples}")
    return split[0][:examples].clone(), split[1][:examples].clone()
