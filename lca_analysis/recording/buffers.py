"""Memory that recorded points are copied to, laid out once and used over and over."""

from dataclasses import dataclass
from typing import Any

import torch

from lca_analysis.recording.tensors import as_array

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


def lay_out(tensors: list[torch.Tensor]) -> tuple[list[Stretch], int]:
    """Place tensors one behind the other; gives their stretches, and the bytes of the whole."""
    stretches, position = [], 0
    for tensor in tensors:
        stop = position + tensor.numel() * tensor.element_size()
        stretches.append(Stretch(position, stop, tensor.shape, tensor.dtype))
        position = -(-stop // _ALIGNMENT) * _ALIGNMENT
    return stretches, position


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
        self.tensors = [stretch.view(self.flat) for stretch in stretches]
        self.arrays = [as_array(tensor) for tensor in self.tensors]
        self.copied: list[Any] = []

    def wait(self) -> None:
        """Wait until the copies that were begun are done."""
        for event in self.copied:
            event.synchronize()
        self.copied = []
