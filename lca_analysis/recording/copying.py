"""Copying a model's tensors to host memory while training goes on."""

from typing import Any

import torch

from lca_analysis.errors import MismatchError
from lca_analysis.recording.buffers import PointBuffer, Stretch, lay_out


class Copier:
    """Copies points of a model, whose tensors may live on several devices.

    On the CPU a copy is done when `copy` returns. On an accelerator it has only begun: the training stream copies
    the tensors to a staging buffer on the device, which takes microseconds and keeps the training from changing
    what is under way, and a stream of its own moves that to page-locked host memory. `PointBuffer.wait` ends it.

    Parameters
    ----------
    names : list of str
        Names of the tensors, for messages.
    tensors : list of Tensor
        The tensors when recording begins; shapes, dtypes and devices must stay.

    Attributes
    ----------
    names : list of str
        Names of the tensors.
    """

    def __init__(self, names: list[str], tensors: list[torch.Tensor]) -> None:
        self.names = names
        self._kinds = [(tensor.shape, tensor.dtype, tensor.device) for tensor in tensors]
        devices = dict.fromkeys(tensor.device for tensor in tensors)
        members_of = {
            device: [number for number, tensor in enumerate(tensors) if tensor.device == device] for device in devices
        }
        placed: dict[int, Stretch] = {}
        self._size = 0
        for members in members_of.values():
            order = _by_dtype(members, tensors)
            stretches, self._size = lay_out([tensors[number] for number in order], self._size)
            placed |= dict(zip(order, stretches, strict=True))
        self._stretches = [placed[number] for number in range(len(tensors))]
        self._staging = {
            device: Staging(device, [self._stretches[number] for number in members])
            for device, members in members_of.items()
            if has_streams(device)
        }
        self._parts = [(self._staging.get(device), members) for device, members in members_of.items()]

    @property
    def point_bytes(self) -> int:
        """Bytes of one point in memory."""
        return self._size

    def new_buffer(self) -> PointBuffer:
        """Make host memory for one point."""
        return PointBuffer(self._stretches, self._size, pinned=any(d.type == "cuda" for d in self._staging))

    def copy(self, tensors: list[torch.Tensor], buffer: PointBuffer) -> None:
        """Begin to copy the tensors to a buffer that is free.

        Raises
        ------
        MismatchError
            A tensor is not as it was when recording began.
        """
        self._check(tensors)
        tracked = torch.is_grad_enabled()
        torch.set_grad_enabled(False)  # what no_grad does, which takes half a per cent of a small model's step
        try:
            for staging, members in self._parts:
                alone = len(members) == len(tensors)
                sources = tensors if alone else [tensors[number] for number in members]
                if staging is not None:
                    buffer.copied.append(staging.copy(sources, buffer.flat))
                else:
                    places = buffer.tensors if alone else [buffer.tensors[number] for number in members]
                    torch._foreach_copy_(places, sources)
        finally:
            torch.set_grad_enabled(tracked)

    def _check(self, tensors: list[torch.Tensor]) -> None:
        """Raise MismatchError for the first tensor that is not as it was."""
        found = [(tensor.shape, tensor.dtype, tensor.device) for tensor in tensors]
        if found == self._kinds:
            return
        for name, now, kind in zip(self.names, found, self._kinds, strict=True):
            if now != kind:
                raise MismatchError(f"{name} has become {_words(*now)}; recording began with {_words(*kind)}")


class Staging:
    """One device's part of a point: a flat copy on the device, and a stream that takes it to the host.

    Parameters
    ----------
    device : torch.device
        One with streams and events.
    stretches : list of Stretch
        Where its tensors lie in the host buffer, together.
    """

    def __init__(self, device: torch.device, stretches: list[Stretch]) -> None:
        self._device = device
        self._module: Any = torch.get_device_module(device)
        self._host = slice(min(s.start for s in stretches), max(s.stop for s in stretches))
        self._flat = torch.empty(self._host.stop - self._host.start, dtype=torch.uint8, device=device)
        begin = self._host.start
        self._views = [Stretch(s.start - begin, s.stop - begin, s.shape, s.dtype).view(self._flat) for s in stretches]
        self._side = self._module.Stream(device)
        self._last: Any = None

    def copy(self, tensors: list[torch.Tensor], host: torch.Tensor) -> Any:
        """Begin to copy tensors to a host buffer; gives the event that ends it."""
        training = self._module.current_stream(self._device)
        if self._last is not None:
            training.wait_event(self._last)  # on the device: the stretch before must have left the staging buffer
        torch._foreach_copy_(self._views, tensors)
        self._side.wait_stream(training)
        with self._module.stream(self._side):
            host[self._host].copy_(self._flat, non_blocking=True)
            self._last = self._module.Event(**_event_options(self._device))
            self._last.record(self._side)
        return self._last


def _by_dtype(members: list[int], tensors: list[torch.Tensor]) -> list[int]:
    """Put tensors of one dtype next to each other, as the blocks of a run have them."""
    dtypes = list(dict.fromkeys(tensors[number].dtype for number in members))
    return sorted(members, key=lambda number: dtypes.index(tensors[number].dtype))


def has_streams(device: torch.device) -> bool:
    """Whether copies from a device can run beside its training."""
    return device.type in ("cuda", "xpu")


def _event_options(device: torch.device) -> dict[str, Any]:
    """Let a thread that waits for an event sleep, where it would otherwise spin on a core of the training's."""
    return {"blocking": True} if device.type == "cuda" else {}


def _words(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> str:
    """Describe a tensor."""
    return f"{str(dtype).removeprefix('torch.')} {tuple(shape)} on {device}"
