"""A run that was exported and imported again has the tables of the original, to the bit."""

import pandas as pd
import pytest
import safetensors.numpy
import torch
from trajectory.weights_files import tensorflow_name, write_weights_file

from lca_analysis.allocation import compute
from lca_analysis.errors import MismatchError
from lca_analysis.recording import import_checkpoints
from lca_analysis.store import open_store
from lca_analysis.trajectory import import_hdf5

TABLES = ("iterations", "layers", "units", "parameters", "series", "histogram", "parameters_index")
NAMES = ["run", "layer", "tensor"]


def weights_of(run):
    return [point.weights for point in run.walk()]


def to_hdf5(run, folder):
    return import_hdf5(write_weights_file(folder / "weights", weights_of(run)), folder / "hdf5")


def to_torch(run, folder):
    (folder / "torch_files").mkdir()
    for number, weights in enumerate(weights_of(run)):
        state = {name: torch.from_numpy(array) for name, array in weights.items()}
        torch.save({"model_state_dict": state, "epoch": 0}, folder / "torch_files" / f"step-{number}.pt")
    return import_checkpoints(folder / "torch_files", folder / "torch", pattern="step-{iteration}.pt")


def to_safetensors(run, folder):
    (folder / "st_files").mkdir()
    for number, weights in enumerate(weights_of(run)):
        safetensors.numpy.save_file(weights, folder / "st_files" / f"{number}.safetensors")
    return import_checkpoints(folder / "st_files", folder / "safetensors")


def tables(store, run, problem, **options):
    """Compute a run and read what depends on its weights: not the parts, for want of hyper-parameters."""
    compute(run.path, store, problem, workers=1, progress=False, **options)
    opened = open_store(store)
    found = {table: opened.table(table, run=run.name) for table in TABLES}
    reasons = found["layers"].pop("parts_reason")
    assert (run.manifest.source is not None) == bool(reasons.str.contains("no hyper-parameters").all())
    found["layers"] = found["layers"].drop(columns=["lca_momentum", "lca_decay", "lca_gradient"])
    return found


def check_equal(found, expected, drop):
    for table in TABLES:
        frames = [frames[table].drop(columns=drop, errors="ignore") for frames in (found, expected)]
        assert len(frames[0])
        pd.testing.assert_frame_equal(*frames, check_exact=True)


@pytest.fixture
def recorded(small, tmp_path):
    problem = small.build("flattened")
    return problem, small.record(problem, tmp_path / "recorded", iterations=6, lr=0.05)


# Large steps of a small network: the warning is right, and not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*seem far apart")


@pytest.mark.parametrize("export", [to_torch, to_safetensors])
def test_checkpoints(recorded, tmp_path, export):
    problem, run = recorded
    imported = export(run, tmp_path)
    check_equal(tables(tmp_path / "store", imported, problem), tables(tmp_path / "store", run, problem), ["run"])


def test_hdf5_of_dense_layers(small, mlp_run, tmp_path):
    problem = small.build("mlp")
    imported = to_hdf5(mlp_run, tmp_path)
    check_equal(tables(tmp_path / "store", imported, problem), tables(tmp_path / "store", mlp_run, problem), ["run"])


def channel_last(weights, height, width, channels):
    """Put the inputs of fc1 in TensorFlow's order, one by one."""
    dense = weights["fc1.weight"].copy()
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                place = (c * height + y) * width + x
                dense[:, (y * width + x) * channels + c] = weights["fc1.weight"][:, place]
    return {**weights, "fc1.weight": dense}


def test_hdf5_of_a_convolutional_network_by_order(recorded, tmp_path):
    problem, run = recorded
    points = [channel_last(weights, 3, 4, 4) for weights in weights_of(run)]
    names = {"conv1.weight": "c/kernel:0", "conv1.bias": "c/bias:0", "fc1.weight": "d/kernel:0", "fc1.bias": "d/bias:0"}
    path = write_weights_file(tmp_path / "weights", points, names=names.get)
    imported = import_hdf5(path, tmp_path / "hdf5", flatten_shape=(3, 4, 4))
    with pytest.raises(MismatchError, match=r"'c\.weight' was recorded.*match=\"order\""):
        compute(imported.path, tmp_path / "store", problem, workers=1, progress=False)
    found = tables(tmp_path / "store", imported, problem, match="order")
    check_equal(found, tables(tmp_path / "store", run, problem), NAMES)
    assert found["layers"]["layer"].unique().tolist() == ["c", "d"]
    wrong = import_hdf5(path, tmp_path / "wrong", flatten_shape=(2, 2, 12))  # fits, and is another network
    other = tables(tmp_path / "store", wrong, problem, match="order")["iterations"]
    assert not (other["loss_before"] == found["iterations"]["loss_before"]).any()


def test_order_needs_equal_shapes_in_every_place(recorded, tmp_path):
    problem, run = recorded
    points = [dict(reversed(weights.items())) for weights in weights_of(run)]
    with pytest.warns(UserWarning, match="."):
        imported = import_hdf5(
            write_weights_file(tmp_path / "weights", points, names=lambda name: "x/" + tensorflow_name(name)),
            tmp_path / "hdf5",
            every=2,
        )
    with pytest.raises(MismatchError, match=r"'x\.fc1\.bias' was recorded with shape \(3,\).*has \(4, 2, 3, 2\)"):
        compute(imported.path, tmp_path / "store", problem, match="order", workers=1, progress=False)
    assert not (tmp_path / "store").exists()
