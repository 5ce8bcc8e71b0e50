"""A real training is smaller than with the codec that one would write first, by a stated margin."""

import numpy as np
import pytest
import torch
import zstandard
from sklearn.datasets import load_digits
from torch import nn
from trajectory.made_runs import manifest, tensor, write

from lca_analysis.trajectory import describe, open_run


@pytest.fixture(scope="module")
def training():
    """A 64-64-32-10 network on scikit-learn's digits, 150 iterations of SGD with momentum; flat float32 points."""
    images, labels = load_digits(return_X_y=True)
    images, labels = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    points = []
    for _ in range(150):
        points.append({name: p.detach().numpy().copy() for name, p in model.named_parameters()})
        batch = torch.randint(len(images), (64,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()
    return points


def zstd_bits(points):
    """Bits per number of: integer difference of ordered words, byte split, zstd 3; the first point raw."""
    packer, before, size = zstandard.ZstdCompressor(level=3), None, 0
    for point in points:
        words = np.concatenate([array.reshape(-1) for array in point.values()]).view(np.uint32)
        ordered = np.where(words >> 31, ~words, words | 0x80000000).astype(np.uint32)
        change = ordered if before is None else (ordered - before).view(np.int32)
        folded = change if before is None else ((change << 1) ^ (change >> 31)).view(np.uint32)
        size += len(packer.compress(folded.view(np.uint8).reshape(-1, 4).T.tobytes()))
        before = ordered
    return 8 * size / (len(points) * len(ordered))


@pytest.mark.parametrize(("preset", "margin"), [("small", 0.25), ("fast", 0.20)])
def test_a_real_training_is_smaller_by_the_margin(tmp_path, training, preset, margin):
    tensors = [tensor(name, array.shape) for name, array in training[0].items()]
    run = open_run(write(tmp_path / "run", manifest(tensors, preset, 256), training))
    ours, plain = describe(run)["bits_per_parameter_per_point"], zstd_bits(training)
    assert ours < (1 - margin) * plain, (ours, plain)
