"""A small recorded run."""

import numpy as np
import pytest
from trajectory.made_runs import manifest, random_walk, tensor, write


@pytest.fixture
def small_run(tmp_path):
    """Ten points in segments of four, two tensors and a buffer, with scalars and a change of learning rate."""
    tensors = [tensor("a.weight", (3, 4)), tensor("a.bias", (3,)), tensor("count", (), "int64", "buffer")]
    walk = random_walk(15, 10, seed=1)
    points = [
        {"a.weight": w[:12].reshape(3, 4), "a.bias": w[12:], "count": np.array(7 * t)} for t, w in enumerate(walk)
    ]
    rates = [[{"lr": 0.1 if t < 6 else 0.01, "betas": [0.9, 0.99]}] for t in range(10)]
    logged = [{"loss": 1.0 / (t + 1)} if t % 2 else {} for t in range(10)]
    write(tmp_path / "run", manifest(tensors), points, scalars=logged, hyperparameters=rates)
    return tmp_path / "run", points
