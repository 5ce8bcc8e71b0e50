"""Memory that is used over and over, and vectors that are seen where they lie."""

import gc
import weakref

import numpy as np
import pytest
import torch

from lca_analysis.allocation import vectors
from lca_analysis.allocation.evaluator import SplitLoss
from lca_analysis.allocation.flat_model import FlatModel, one_behind_the_other
from lca_analysis.allocation.scheme import Tolerance
from lca_analysis.allocation.schemes import make_scheme
from lca_analysis.allocation.vectors import Vectors
from lca_analysis.allocation.walk import StepWalk
from lca_analysis.memory import pages


def test_memory_is_given_to_the_next_when_nothing_refers_to_it():
    pool = Vectors(200, torch.float32)
    first, second = pool.take(2, 100), pool.take()
    place = first.data_ptr()
    assert second.data_ptr() != place
    assert place % 64 == 0
    part = first[1].view(10, 10).numpy()[3:]
    del first
    assert pool.take().data_ptr() not in (place, second.data_ptr()), "a part of it is still seen"
    del part
    assert pool.take().data_ptr() == place


def aligned(size, offset=0):
    memory = np.arange(size + 32, dtype=np.float32)
    start = (-memory.ctypes.data % 64) // 4 + offset
    return memory[start : start + size]


def test_neighbours_are_seen_as_one():
    flat = aligned(10)
    parts = [flat[:6].reshape(2, 3), flat[6:6].reshape(0, 2), flat[6:]]
    whole = one_behind_the_other(parts, np.dtype(np.float32))
    assert whole.tolist() == flat.tolist()
    assert whole.ctypes.data == flat.ctypes.data


@pytest.mark.parametrize(
    "parts",
    [
        lambda flat: [flat[:4], flat[5:]],
        lambda flat: [flat[4:], flat[:4]],
        lambda flat: [flat[:4], flat[4:].copy()],
        lambda flat: [flat[:4].view(np.int32), flat[4:]],
        lambda flat: [flat[::2]],
        lambda flat: [flat[1:]],
        lambda flat: [flat.copy()[:4], flat[4:]],
        lambda flat: [],
    ],
)
def test_others_are_not(parts):
    assert one_behind_the_other(parts(aligned(10)), np.dtype(np.float32)) is None


def test_a_walk_without_copies_gives_vectors_without_copies(small, mlp_run):
    model = FlatModel(small.build("mlp"), mlp_run, "name")
    for point, exact in zip(mlp_run.walk(tensors=model.names, copy=False), small.points(mlp_run), strict=True):
        flat = model.flatten(point.weights)
        assert flat.numpy().tolist() == np.concatenate([exact[name].ravel() for name in model.names]).tolist()
        assert flat.data_ptr() == point.weights["0.weight"].ctypes.data
        model.load(flat)
        assert model.module[0].weight.data_ptr() == flat.data_ptr()


def test_a_model_without_weights_takes_no_memory_for_them(small, mlp_run):
    problem = small.build("mlp")
    module = FlatModel(problem, mlp_run, "name").module
    assert [tuple(parameter.shape) for parameter in module.parameters()] == [(6, 5), (6,), (3, 6), (3,)]
    gc.collect()
    assert {parameter.untyped_storage().nbytes() for parameter in module.parameters()} == {4}
    assert problem.model[0].weight.untyped_storage().nbytes() == 4 * 30


# Gradients at both ends; of those within, with the weights there; "adaptive" keeps two of them and a sum of the others.
@pytest.mark.parametrize(("rule", "most"), [("trapezoid", 2), ("simpson", 3), ("gauss4", 2), ("adaptive", 7)])
def test_nothing_is_kept_longer_than_its_step(small, mlp_run, monkeypatch, rule, most):
    made = []
    monkeypatch.setattr(vectors, "_POOLS", weakref.WeakValueDictionary())
    monkeypatch.setattr(vectors, "pages", lambda *what: made.append(what) or pages(*what))
    model = FlatModel(small.build("mlp"), mlp_run, "name")
    split_loss = SplitLoss(small.build("mlp"), "train", model)
    scheme = make_scheme(rule, Tolerance(0.0), 32)
    for step in StepWalk(mlp_run, model, split_loss).steps(0, 11):
        scheme.integrate(step.path)
        del step
    assert len(made) == most


@pytest.mark.parametrize("classes", [0, 4])
def test_what_was_in_the_memory_of_a_gradient_leaves_no_trace(small, mlp_run, classes):
    problem = small.build("mlp")
    problem.classes = classes or None  # the last of four has no example
    model = FlatModel(problem, mlp_run, "name")
    split_loss = SplitLoss(problem, "train", model, bool(classes))
    weights = model.flatten(mlp_run.weights(0)).clone()
    first = split_loss.gradient(weights)[1]
    place, wanted = first.data_ptr(), first.clone()
    first.fill_(torch.nan)
    del first
    again = split_loss.gradient(weights)[1]
    assert again.data_ptr() == place
    assert torch.equal(again, wanted)
