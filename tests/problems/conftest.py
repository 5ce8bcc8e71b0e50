"""Data folders in the genuine formats, small enough for a test."""

import gzip
import struct

import numpy as np
import pytest


def write_cifar(folder, records=8, seed=0):
    """Write the six files of CIFAR-10's binary version: a label byte, then red, green and blue planes."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name in [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]:
        labels = rng.integers(0, 10, (records, 1), dtype=np.uint8)
        pixels = rng.integers(0, 256, (records, 3072), dtype=np.uint8)
        (folder / name).write_bytes(np.hstack([labels, pixels]).tobytes())
    return folder


def idx_bytes(array):
    """Write an array of bytes in the IDX format, with its big-endian header."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder, train=30, test=10, zipped=False):
    """Write the four IDX files of MNIST."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, count, dtype=np.uint8)
        for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
            else:
                (folder / name).write_bytes(idx_bytes(array))
    return folder


@pytest.fixture
def cifar_folder(tmp_path):
    return write_cifar(tmp_path / "cifar")


@pytest.fixture
def mnist_folder(tmp_path):
    return write_mnist(tmp_path / "mnist")


@pytest.fixture
def cifar_writer():
    return write_cifar


@pytest.fixture
def mnist_writer():
    return write_mnist


@pytest.fixture
def idx_writer():
    return idx_bytes


@pytest.fixture
def toy():
    """Give the parts of a small valid problem: model, loss per example, splits."""
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(12, 4, generator=generator)
    targets = torch.randint(0, 3, (12,), generator=generator)
    splits = {"train": (inputs[:8], targets[:8]), "validation": (inputs[8:], targets[8:])}
    return nn.Linear(4, 3), nn.CrossEntropyLoss(reduction="none"), splits
