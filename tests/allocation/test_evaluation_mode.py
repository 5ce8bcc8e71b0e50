"""Batch norm by running statistics: they are coordinates, so that the loss change is accounted for."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.allocation.evaluator import SplitLoss
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.errors import MismatchError
from lca_analysis.problems import Problem
from lca_analysis.recording import Recorder
from lca_analysis.trajectory import open_run

CROSS_ENTROPY = nn.CrossEntropyLoss(reduction="none")
STATISTICS = ("running_mean", "running_var")


def evaluated(small, dtype="float64"):
    """Give a problem with batch norm that is evaluated by running statistics."""
    problem = small.build("batch_norm", dtype=dtype)
    problem.normalization = "eval"
    return problem


@pytest.fixture(scope="module")
def computed(small, tmp_path_factory):
    """A recorded run, and its store in evaluation mode."""
    folder = tmp_path_factory.mktemp("evaluation")
    problem = evaluated(small)
    run = small.record(problem, folder / "run", iterations=6)
    lca.compute(run.path, folder / "store", problem, "train", tolerance=1e-6)
    return problem, run, lca.open_store(folder / "store")


def losses(problem, run):
    """Take the loss at every point from torch's own batch norm in evaluation mode."""
    model, (inputs, targets) = copy.deepcopy(problem.model).eval(), problem.split("train")
    found = []
    for point in run.walk():
        model.load_state_dict({name: torch.from_numpy(values) for name, values in point.weights.items()})
        found.append(float(CROSS_ENTROPY(model(inputs), targets).mean().detach()))
    return found


def test_the_loss_is_torchs_own(computed):
    problem, run, store = computed
    rows, wanted = store.table("iterations"), losses(problem, run)
    np.testing.assert_allclose(rows["loss_before"], wanted[:-1], rtol=1e-12)
    np.testing.assert_allclose(rows["loss_after"], wanted[1:], rtol=1e-12)


def test_the_loss_change_is_conserved_with_the_buffers_and_not_without(computed):
    _, _, store = computed
    rows = store.table("iterations")
    assert rows["residual"].abs().max() < 1e-6
    layers = store.table("layers")
    buffers = layers[layers["layer"] == "buffers"]
    assert set(buffers["kind"]) == {"buffer"}
    assert set(buffers["tensor"]) == {f"{norm}.{name}" for norm in (1, 5) for name in STATISTICS}
    assert buffers.groupby("iteration")["lca"].sum().abs().min() > 1e-4
    assert not layers.loc[layers["kind"] != "buffer", "tensor"].str.contains("running").any()


def test_gradients_are_differences_of_torchs_own_loss(small, tmp_path):
    problem = evaluated(small)
    run = small.record(problem, tmp_path / "run", iterations=2)
    flat_model = FlatModel(problem, run, "name")
    weights = run.weights(2)
    _, gradient = SplitLoss(problem, "train", flat_model).gradient(flat_model.flatten(weights))
    model, (inputs, targets) = copy.deepcopy(problem.model).eval(), problem.split("train")

    def loss(name, index, shift):
        moved = {key: torch.from_numpy(values.copy()) for key, values in weights.items()}
        moved[name].view(-1)[index] += shift
        model.load_state_dict(moved)
        return float(CROSS_ENTROPY(model(inputs), targets).mean().detach())

    for place in flat_model.layout.places:
        for index in {0, place.tensor.size - 1}:
            slope = (loss(place.tensor.name, index, 1e-5) - loss(place.tensor.name, index, -1e-5)) / 2e-5
            assert float(gradient[place.start + index]) == pytest.approx(slope, abs=1e-8), place.tensor.name


def test_counters_are_no_coordinates_and_buffers_are_not_counted_as_parameters(computed):
    problem, _, store = computed
    index = store.table("parameters_index")
    assert not index["tensor"].str.contains("num_batches_tracked").any()
    assert index.loc[index["kind"] == "buffer", "layer"].eq("buffers").all()
    size = sum(parameter.numel() for parameter in problem.model.parameters())
    assert store.table("runs")["parameters"].tolist() == [size]
    assert store.table("runs")["tensors"].tolist() == [8]


def test_a_run_without_buffers_is_refused(small, tmp_path):
    problem = evaluated(small)
    bare = copy.deepcopy(problem.model)
    for norm in (bare[1], bare[5]):
        norm._non_persistent_buffers_set.update(norm._buffers)  # torch's own way to leave them out of checkpoints
    with Recorder(tmp_path / "run", bare) as recorder:
        recorder.record()
    for match in ("name", "order"):
        with pytest.raises(MismatchError, match=r"'1\.running_mean' were not recorded.*normalization='batch'"):
            FlatModel(problem, open_run(tmp_path / "run"), match)


def test_pairing_by_order_takes_the_statistics_in_their_order(small, tmp_path):
    problem = evaluated(small)
    wrapped = nn.Sequential(problem.model)
    run = small.record(Problem(wrapped, CROSS_ENTROPY, problem.splits), tmp_path / "run", iterations=3)
    with pytest.raises(MismatchError):
        FlatModel(problem, run, "name")
    model = FlatModel(problem, run, "order")
    assert [place.tensor.name for place in model.layout.places][-2:] == ["0.5.running_mean", "0.5.running_var"]
    loss = SplitLoss(problem, "train", model).loss(model.flatten(run.weights(3)))
    inputs, targets = problem.split("train")
    assert loss == pytest.approx(float(CROSS_ENTROPY(wrapped.eval()(inputs), targets).mean().detach()), rel=1e-12)


@pytest.mark.parametrize(
    ("norm", "shape"),
    [
        (nn.BatchNorm1d(3, affine=False), (4, 3)),
        (nn.BatchNorm1d(3), (4, 3, 5)),
        (nn.BatchNorm3d(3), (4, 3, 2, 2, 2)),
        (nn.InstanceNorm2d(3, affine=True, track_running_stats=True), (4, 3, 2, 2)),
        (nn.BatchNorm2d(3, momentum=None, eps=0.1), (4, 3, 2, 2)),
    ],
)
def test_every_kind_of_norm_layer(tmp_path, norm, shape):
    torch.manual_seed(0)
    inputs = torch.randn(shape, dtype=torch.float64)
    model = nn.Sequential(norm.double(), nn.Flatten())
    for _ in range(3):
        model(2 * inputs + 1)
    problem = Problem(model, lambda y, _: y.square().sum(1), {"train": (inputs, inputs[:, 0])}, normalization="eval")
    with Recorder(tmp_path / "run", model):
        pass
    run = open_run(tmp_path / "run")
    flat = FlatModel(problem, run, "name")
    found = SplitLoss(problem, "train", flat).loss(flat.flatten(run.weights(0)))
    wanted = float(model.eval()(inputs).square().sum(1).mean().detach())
    # Without a parameter in double precision the engine computes in single.
    assert found == pytest.approx(wanted, rel=1e-12 if norm.affine else 1e-6)
