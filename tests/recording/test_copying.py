"""Copies in flat buffers: what they hold, and the path over a device's staging buffer."""

import itertools

import numpy as np
import pytest
import torch
from trajectory.made_runs import tensor as tensor_info

from lca_analysis.errors import MismatchError
from lca_analysis.recording import copying
from lca_analysis.recording.buffers import lay_out
from lca_analysis.recording.copying import Copier
from lca_analysis.recording.tensors import DTYPES
from lca_analysis.trajectory import blocks

TENSORS = {
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "expanded": torch.ones(1).expand(4),
    "half": torch.tensor([[1.5, -2.0, float("nan")]], dtype=torch.bfloat16).T,
    "empty": torch.zeros(0, 3),
    "scalar": torch.tensor(7, dtype=torch.int64),
    "flags": torch.tensor([True, False, True]),
    "channels": torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last),
    "strided": torch.arange(10, dtype=torch.float64)[::3],
}
STORAGE = {"half": np.uint16, "scalar": np.int64, "flags": np.bool_, "strided": np.float64}


def expected(tensor):
    words = tensor.contiguous().view(torch.int16) if tensor.dtype is torch.bfloat16 else tensor.contiguous()
    return words.numpy().tobytes()


def copied(copier, tensors):
    buffer = copier.new_buffer()
    copier.copy(tensors, buffer)
    buffer.wait()
    return buffer


class FakeStreams:
    """A device whose streams copy only when they are waited for, in the order in which they were asked."""

    def __init__(self):
        self.log = []

    def Stream(self, device):
        return FakeStream("side", self.log)

    def current_stream(self, device):
        return FakeStream("training", self.log)

    def stream(self, stream):
        self.log.append("in side")
        return torch.no_grad()

    def Event(self, **options):
        return FakeEvent(self.log)


class FakeStream:
    def __init__(self, name, log):
        self.name, self.log = name, log

    def wait_stream(self, other):
        self.log.append(f"{self.name} waits for {other.name}")

    def wait_event(self, event):
        self.log.append(f"{self.name} waits for event")


class FakeEvent:
    def __init__(self, log):
        self.log = log

    def record(self, stream):
        self.log.append(f"event on {stream.name}")

    def synchronize(self):
        self.log.append("host waits")


@pytest.fixture
def staged(monkeypatch):
    """Copy from the CPU over a staging buffer, as from an accelerator."""
    module = FakeStreams()
    monkeypatch.setattr(copying, "has_streams", lambda device: True)
    monkeypatch.setattr(torch, "get_device_module", lambda device: module)
    return module


def test_every_layout_is_copied_in_c_order():
    tensors = list(TENSORS.values())
    buffer = copied(Copier(list(TENSORS), tensors), tensors)
    for (name, tensor), array in zip(TENSORS.items(), buffer.arrays, strict=True):
        assert array.flags.c_contiguous
        assert array.shape == tuple(tensor.shape)
        assert array.dtype == STORAGE.get(name, np.float32)
        assert array.tobytes() == expected(tensor), name


def test_a_staged_copy_is_the_same_copy(staged):
    tensors = list(TENSORS.values())
    buffer = copied(Copier(list(TENSORS), tensors), tensors)
    for tensor, array in zip(tensors, buffer.arrays, strict=True):
        assert array.tobytes() == expected(tensor)


def test_training_waits_for_the_staging_buffer_alone_and_the_writer_for_the_copy(staged):
    tensors = [torch.ones(3)]
    copier = Copier(["w"], tensors)
    first, second = copier.new_buffer(), copier.new_buffer()
    copier.copy(tensors, first)
    assert staged.log == ["side waits for training", "in side", "event on side"]
    copier.copy(tensors, second)
    assert staged.log[3] == "training waits for event"
    assert "host waits" not in staged.log
    first.wait()
    first.wait()
    assert staged.log.count("host waits") == 1


def test_points_in_other_buffers_stay():
    tensor = torch.ones(3)
    copier = Copier(["w"], [tensor])
    first = copied(copier, [tensor])
    tensor.zero_()
    second = copied(copier, [tensor])
    assert first.arrays[0].tolist() == [1, 1, 1]
    assert second.arrays[0].tolist() == [0, 0, 0]


def test_a_model_without_tensors_has_empty_points():
    copier = Copier([], [])
    assert copied(copier, []).arrays == []
    assert copier.point_bytes == 0


def test_tensors_do_not_overlap_and_are_aligned():
    stretches, size = lay_out(list(TENSORS.values()))
    for stretch, tensor in zip(stretches, TENSORS.values(), strict=True):
        assert stretch.start % tensor.element_size() == 0
        assert stretch.stop - stretch.start == tensor.numel() * tensor.element_size()
    assert all(a.stop <= b.start for a, b in itertools.pairwise(stretches))
    assert stretches[-1].stop <= size < stretches[-1].stop + 64


@pytest.mark.parametrize("block_size", [blocks.BLOCK_SIZE, 7])
def test_the_words_of_blocks_are_those_of_their_tensors(monkeypatch, block_size):
    """Blocks of several tensors, of parts of one, and of widened bytes; float32's lie in the buffer as they are."""
    monkeypatch.setattr(blocks, "BLOCK_SIZE", block_size)
    infos = [tensor_info(name, tuple(tensor.shape), DTYPES[tensor.dtype]) for name, tensor in TENSORS.items()]
    laid_out = blocks.lay_out(infos)
    buffer = copied(Copier(list(TENSORS), list(TENSORS.values())), list(TENSORS.values()))
    found: dict[str, list[bytes]] = {}
    for block, words in zip(laid_out, buffer.words(laid_out), strict=True):
        assert words.size == block.size
        dtype = infos[block.pieces[0].tensor].dtype
        found.setdefault(dtype, []).append((words.astype(np.uint8) if dtype == "bool" else words).tobytes())
        assert np.shares_memory(words, buffer.flat.numpy()) == (dtype != "bool")
    for dtype, parts in found.items():
        whole = [expected(tensor) for tensor in TENSORS.values() if DTYPES[tensor.dtype] == dtype]
        assert b"".join(parts) == b"".join(whole), dtype


@pytest.mark.parametrize("other", [torch.ones(4), torch.ones(3, dtype=torch.float64), torch.ones(3, device="meta")])
def test_a_tensor_that_is_not_as_it_was_is_named(other):
    copier = Copier(["layer.weight"], [torch.ones(3)])
    with pytest.raises(MismatchError, match=r"layer\.weight has become .* began with float32 \(3,\) on cpu"):
        copier.copy([other], copier.new_buffer())
