"""Memory that recorded points are copied to, laid out once and used over and over."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lca_analysis.recording.tensors import as_array
from lca_analysis.trajectory.blocks import Block
from lca_analysis.trajectory.words import Words, to_words

_ALIGNMENT = 64  # bytes; a cache line, and a multiple of every dtype's size


@dataclass(frozen=True)
class Stretch:
    """A tensor's bytes in a flat buffer, and what they are."""

    start: int
    stop: int
    shape: torch.Size
    dtype: torch.dtype

    def view(self, flat: torch.Tensor) -> torch.Tensor:
        """Its part of a flat buffer, as the tensor that it holds."""
        return flat[self.start : self.stop].view(self.dtype).view(self.shape)


def lay_out(tensors: list[torch.Tensor], position: int = 0) -> tuple[list[Stretch], int]:
    """Place tensors one behind the other, those of one dtype without gaps; gives stretches, and the end."""
    stretches: list[Stretch] = []
    for tensor in tensors:
        if stretches and stretches[-1].dtype != tensor.dtype:
            position = -(-position // _ALIGNMENT) * _ALIGNMENT
        stop = position + tensor.numel() * tensor.element_size()
        stretches.append(Stretch(position, stop, tensor.shape, tensor.dtype))
        position = stop
    return stretches, -(-position // _ALIGNMENT) * _ALIGNMENT


def find_block(block: Block, stretches: list[Stretch]) -> slice | None:
    """Find the words of a block in a flat buffer; None where they do not lie there as one."""
    width = block.form.word.itemsize
    starts = {
        stretches[piece.tensor].start + (piece.start - piece.offset) * block.form.storage.itemsize
        for piece in block.pieces
    }
    if len(starts) > 1 or block.form.storage.itemsize != width:
        return None
    start = starts.pop()
    return slice(start, start + block.size * width)


class PointBuffer:
    """Host memory for one point: flat, with a view of every tensor for torch and one for numpy.

    Attributes
    ----------
    flat : Tensor[bytes] uint8
        The memory; page-locked when it is to be filled by an accelerator.
    tensors : list of Tensor
        Its views, as the model's tensors are.
    arrays : list of ndarray
        The same memory in storage dtypes (bfloat16 as uint16 words).
    copied : list of events
        What must happen before the arrays hold the point.
    """

    def __init__(self, stretches: list[Stretch], size: int, pinned: bool) -> None:
        self.flat = torch.empty(size, dtype=torch.uint8, device="cpu", pin_memory=pinned)
        self._stretches = stretches
        self._found: list[Words | None] | None = None
        self.tensors = [stretch.view(self.flat) for stretch in stretches]
        self.arrays = [as_array(tensor) for tensor in self.tensors]
        self.copied: list[Any] = []

    def words(self, blocks: list[Block]) -> Iterator[Words]:
        """Give the words of each block of a run, where they lie if they lie together."""
        if self._found is None:
            flat, places = self.flat.numpy(), [find_block(block, self._stretches) for block in blocks]
            pairs = zip(blocks, places, strict=True)
            self._found = [None if place is None else flat[place].view(block.form.word) for block, place in pairs]
        for block, found in zip(blocks, self._found, strict=True):
            yield self._gather(block) if found is None else found

    def _gather(self, block: Block) -> Words:
        """Copy the words of a block together."""
        words = [to_words(self.arrays[piece.tensor], block.form)[piece.source] for piece in block.pieces]
        return np.concatenate(words)

    def wait(self) -> None:
        """Wait until the copies that were begun are done."""
        for event in self.copied:
            event.synchronize()
        self.copied = []
