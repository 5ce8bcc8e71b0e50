"""A small training with everything that a recorder meets: norms, buffers, an embedding, a tied weight."""

import pytest
import torch
from torch import nn


class Tied(nn.Module):
    """Embedding, norm, and an output layer that shares the embedding's weight."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.embed = nn.Embedding(11, 6)
        self.norm = nn.BatchNorm1d(6)
        self.hidden = nn.Linear(6, 6)
        self.out = nn.Linear(6, 11, bias=False)
        self.out.weight = self.embed.weight
        self.register_buffer("scratch", torch.zeros(3), persistent=False)

    def forward(self, words):
        return self.out(torch.relu(self.hidden(self.norm(self.embed(words)))) * self.scale)


@pytest.fixture
def model():
    torch.manual_seed(5)
    return Tied()


def train(model, optimizer, steps, after=lambda: None):
    """Train on drawn words; `after` is called behind each step."""
    for _ in range(steps):
        words = torch.randint(0, 11, (16,))
        loss = nn.functional.cross_entropy(model(words), (words + 1) % 11)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after()


@pytest.fixture
def training():
    return train
