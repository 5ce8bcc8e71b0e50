"""Every view of the loss change sums to its parent, and is right, for models of many kinds."""

import itertools

import numpy as np
import oracles
import pytest
import torch
from allocation.zoo import CLASSES, ZOO, make
from torch import nn

import lca_analysis as lca
from lca_analysis.problems import Problem
from lca_analysis.recording import Recorder

STEPS = 3
EXACT = {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture(scope="module", params=ZOO)
def computed(request, tmp_path_factory):
    """A recorded run of a model, and its tables with all views switched on."""
    folder = tmp_path_factory.mktemp("zoo")
    model, split = make(request.param)
    problem = Problem(model, nn.CrossEntropyLoss(reduction="none"), {"train": split}, 4, classes=CLASSES)
    model.train("spectral" not in request.param)  # whose vectors move in training, and may not
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.05, momentum=0.9, weight_decay=0.01)
    with Recorder(folder / "run", model, optimizer, problem=problem):
        for _ in range(STEPS):
            optimizer.zero_grad()
            problem.loss(model(split[0]), split[1]).mean().backward()
            _make_dense(trained)
            optimizer.step()
    run = lca.open_run(folder / "run")
    size = sum(tensor.size for tensor in run.parameters)
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((size, 3)))[0].T
    np.savez(folder / "basis.npz", directions=basis)
    views = {"classes": True, "elements": True, "directions": folder / "basis.npz"}
    lca.compute(run.path, folder / "store", problem, rule="simpson", **views)
    return request.param, problem, run, lca.open_store(folder / "store")


def _make_dense(parameters):
    """Give sparse gradients the form that momentum takes."""
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.to_dense()


def test_elements_against_an_independent_computation(computed, small):
    name, problem, run, store = computed
    with torch.no_grad():
        problem.model(problem.split("train")[0])  # what hooks left in it cannot be copied otherwise
    rows = store.table("elements").set_index(["iteration", "tensor"])["lca"]
    points = small.points(run)
    for iteration, (before, after) in enumerate(itertools.pairwise(points)):
        gradient = oracles.path_gradient(problem, "train", before, after, oracles.simpson_nodes(1))
        for tensor in before:
            wanted = ((after[tensor] - before[tensor]) * gradient[tensor]).ravel()
            np.testing.assert_allclose(rows[iteration, tensor], wanted, rtol=2e-6, atol=1e-9, err_msg=name)


def test_every_view_sums_to_its_parent(computed):
    _, _, run, store = computed
    layers = store.table("layers").set_index(["iteration", "class", "tensor"])
    whole = layers.xs(-1, level="class")
    allocated = store.table("iterations").set_index(["iteration", "class"])["allocated"]
    assert len(whole) == STEPS * len(run.parameters)
    summed = layers["lca"].groupby(["iteration", "class"]).sum(min_count=1)  # a class without examples has none
    np.testing.assert_allclose(summed, allocated, **EXACT)
    by_class = layers.drop(-1, level="class")["lca"].groupby(["iteration", "tensor"]).sum()
    np.testing.assert_allclose(by_class, whole["lca"].sort_index(), **EXACT)
    parts = whole[["lca_momentum", "lca_decay", "lca_gradient"]]
    np.testing.assert_allclose(parts.sum(axis=1, skipna=False), whole["lca"], **EXACT)
    directions = store.table("directions").groupby("iteration")["lca"].sum()
    np.testing.assert_allclose(directions, allocated.xs(-1, level="class"), **EXACT)
    elements = store.table("elements").set_index(["iteration", "tensor"])["lca"].map(np.sum)
    np.testing.assert_allclose(elements.sort_index(), whole["lca"].sort_index(), rtol=1e-5, atol=1e-8)


def test_units_sum_to_their_layer(computed):
    _, _, _, store = computed
    if "units" not in store.tables():
        return
    units = store.table("units").groupby(["iteration", "layer"])["lca"].sum()
    rows = store.table("layers", class_=-1)
    layers = rows.groupby(["iteration", "layer"])["lca"].sum()
    np.testing.assert_allclose(units, layers[units.index], **EXACT)


def test_what_is_not_moved_has_nothing(computed):
    _, _, _, store = computed
    rows = store.table("layers")
    still = rows[rows["step_norm2"] == 0]
    assert still[["lca", "n_helping", "n_hurting"]].eq(0).all(axis=None)
