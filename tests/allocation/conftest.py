"""Recorded runs of the small problems."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from lca_analysis.problems import build_problem
from lca_analysis.recording import Recorder
from lca_analysis.trajectory import open_run

SMALL = Path(__file__).parent / "small_problems.py"


def build(name, **arguments):
    """Build one of the small problems."""
    return build_problem(f"{SMALL}:{name}", **arguments)


def record(problem, path, iterations=5, lr=0.3, momentum=0.5, **recorder):
    """Train on the whole training split, recording every step; the first example of a minibatch moves along."""
    inputs, targets = problem.split("train")
    dtype = next(problem.model.parameters()).dtype
    optimizer = torch.optim.SGD(problem.model.parameters(), lr=lr, momentum=momentum)
    problem.model.train()
    torch.manual_seed(5)
    with Recorder(path, problem.model, optimizer, problem=problem, **recorder):
        for iteration in range(iterations):
            chosen = torch.arange(iteration, iteration + 8) % len(inputs)
            batch = inputs[chosen].to(dtype) if inputs.is_floating_point() else inputs[chosen]
            optimizer.zero_grad()
            problem.loss(problem.model(batch), targets[chosen]).mean().backward()
            optimizer.step()
    return open_run(path)


def points_of(run):
    """Every recorded point as float64 arrays."""
    names = [tensor.name for tensor in run.parameters]
    return [{name: point.weights[name].astype(np.float64) for name in names} for point in run.walk(tensors=names)]


def snapshot(store):
    """Digest of every file of a store, working files included."""
    root = Path(store)
    files = sorted(file for file in root.rglob("*") if file.is_file())
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="session")
def small():
    """Give the functions above."""

    class Small:
        build = staticmethod(build)
        record = staticmethod(record)
        points = staticmethod(points_of)
        snapshot = staticmethod(snapshot)
        file = SMALL

    return Small


@pytest.fixture(scope="session")
def mlp_run(tmp_path_factory):
    """A short recorded run of the small MLP: 11 steps."""
    return record(build("mlp"), tmp_path_factory.mktemp("runs") / "mlp", iterations=11)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def two_threads():
    """Two torch threads, as a user may have."""
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(1)
