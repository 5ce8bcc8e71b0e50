"""Importing the weights file of the paper's code: values, layout, names, bounds, and files that are none."""

import tracemalloc
import warnings

import h5py
import numpy as np
import pytest
from trajectory.made_runs import random_walk
from trajectory.weights_files import write_weights_file

from lca_analysis.errors import ArgumentError, CorruptError, FormatError, MismatchError, NotFoundError
from lca_analysis.trajectory import describe, import_hdf5, open_run, verify
from lca_analysis.trajectory.importing import hdf5_file
from lca_analysis.trajectory.importing.hdf5_file import WeightsFile

SHAPES = {"conv1.weight": (3, 2, 2, 3), "conv1.bias": (3,), "fc1.weight": (4, 3), "fc1.bias": (4,)}


def walk(points=7, shapes=SHAPES, seed=0):
    """A float32 trajectory of small steps as dicts of arrays by PyTorch name."""
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    cuts = np.cumsum(sizes)[:-1]
    start, *later = random_walk(sum(sizes), points, seed)
    flats = [start, *(start + np.float32(0.1) * (flat - start) for flat in later)]
    return [
        {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), np.split(flat, cuts), strict=True)}
        for flat in flats
    ]


def same(run, points):
    found = list(run.walk())
    assert len(found) == len(points)
    for point, weights in zip(found, points, strict=True):
        assert list(point.weights) == list(weights)
        for name, array in weights.items():
            assert point.weights[name].dtype == array.dtype
            assert point.weights[name].tobytes() == array.tobytes(), name


def test_every_value_in_the_order_of_pytorch(tmp_path):
    points = walk()
    run = import_hdf5(write_weights_file(tmp_path / "weights", points), tmp_path / "run", problem="mine.py:problem")
    same(run, points)
    assert run.complete
    assert run.iterations.tolist() == list(range(7))
    assert [(t.name, t.shape, t.dtype, t.layer, t.kind, t.module) for t in run.parameters[:2]] == [
        ("conv1.weight", (3, 2, 2, 3), "float32", "conv1", "weight", "Conv2d"),
        ("conv1.bias", (3,), "float32", "conv1", "bias", "Conv2d"),
    ]
    assert run.manifest.problem.target == "mine.py:problem"
    assert describe(run)["source"] == "weights (hdf5)"
    assert str(tmp_path) not in (tmp_path / "run" / "run.json").read_text()
    assert verify(tmp_path / "run").ok


@pytest.mark.parametrize("place", [0, 4, 6])
def test_one_value_that_float32_does_not_hold_keeps_all_in_float64(tmp_path, place):
    points = [{name: array.astype(np.float64) for name, array in point.items()} for point in walk()]
    points[place]["fc1.bias"][2] = 0.1
    run = import_hdf5(write_weights_file(tmp_path / "weights", points), tmp_path / "run")
    same(run, points)
    assert {tensor.dtype for tensor in run.tensors} == {"float64"}


def test_special_values_stay(tmp_path):
    points = walk(4)
    points[2]["fc1.bias"][:] = [-0.0, np.inf, np.nan, 1e-45]
    with np.errstate(all="ignore"):
        same(import_hdf5(write_weights_file(tmp_path / "weights", points), tmp_path / "run"), points)


@pytest.mark.parametrize(("code", "dtype"), [("f4", "float32"), ("f2", "float16")])
def test_narrower_files_keep_their_dtype(tmp_path, code, dtype):
    points = [{name: array.astype(dtype) for name, array in point.items()} for point in walk()]
    path = write_weights_file(tmp_path / "weights", points, code)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        same(import_hdf5(path, tmp_path / "run"), points)
    assert any("percent helping" in str(one.message) for one in caught) == (dtype == "float16")


def test_rows_that_were_never_written_are_left_out_with_a_word(tmp_path):
    points = walk()
    points[0] = {name: np.zeros_like(array) for name, array in points[0].items()}  # a zero start is a point
    path = write_weights_file(tmp_path / "weights", points, unwritten=300)
    with pytest.warns(UserWarning, match="last 300 rows are zeros"):
        run = import_hdf5(path, tmp_path / "run")
    same(run, points)
    assert "300 rows" in describe(run)["cautions"][0]


def test_rows_that_are_apart_are_imported_with_a_warning(tmp_path):
    path = write_weights_file(tmp_path / "weights", walk())
    with pytest.warns(UserWarning, match=r"up to 10 iterations apart.*percent helping.*oscillation"):
        run = import_hdf5(path, tmp_path / "run", every=10)
    assert run.iterations.tolist() == list(range(0, 70, 10))
    assert run.manifest.recording.every == 10
    assert "10 iterations apart" in run.manifest.source.cautions[0]


@pytest.mark.parametrize("chunks", [(1, 55), (3, 20), (15, 55), None])
def test_blocks_of_rows_do_not_matter(tmp_path, monkeypatch, chunks):
    monkeypatch.setattr(hdf5_file, "BLOCK_BYTES", 2 * 55 * 8 + 5)
    points = walk(11)
    storage = {"chunks": chunks, "compression": None}
    path = write_weights_file(tmp_path / "weights", points, unwritten=4, **storage)
    with pytest.warns(UserWarning, match="4 rows"):
        same(import_hdf5(path, tmp_path / "run"), points)


def test_the_memory_is_bounded(tmp_path, monkeypatch):
    shapes = {"fc1.weight": (1, 20_000)}
    path = write_weights_file(tmp_path / "weights", walk(120, shapes))
    monkeypatch.setattr(hdf5_file, "BLOCK_BYTES", 2**20)
    tracemalloc.start()
    with WeightsFile(path) as file:
        assert sum(1 for _ in file.points()) == 120  # 19 MB
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def nhwc_forward(kernel, bias, dense, images):
    """A convolution without padding, ReLU, flattening and a dense layer, as TensorFlow defines them, by loops."""
    height, width = images.shape[1] - kernel.shape[0] + 1, images.shape[2] - kernel.shape[1] + 1
    hidden = np.zeros((len(images), height, width, kernel.shape[3]))
    for y in range(height):
        for x in range(width):
            patch = images[:, y : y + kernel.shape[0], x : x + kernel.shape[1], :]
            hidden[:, y, x] = np.tensordot(patch, kernel, axes=3) + bias
    return np.maximum(hidden, 0).reshape(len(images), -1) @ dense


def test_the_imported_network_computes_what_tensorflow_s_did(tmp_path):
    import torch

    rng = np.random.default_rng(3)
    kernel, bias = rng.normal(size=(3, 2, 2, 4)), rng.normal(size=4)
    dense, images = rng.normal(size=(3 * 5 * 4, 6)), rng.normal(size=(5, 5, 6, 2))
    with h5py.File(tmp_path / "weights", "w") as file:
        rows = np.concatenate([kernel.reshape(-1), bias, dense.reshape(-1)])
        file["all_weights"] = np.stack([rows, rows])
        file.attrs["var_names"] = b"conv_1/kernel:0;conv_1/bias:0;fc_1/kernel:0"
        file.attrs["var_shapes"] = b"(3, 2, 2, 4);(4,);(60, 6)"
    run = import_hdf5(tmp_path / "weights", tmp_path / "run", flatten_shape=(3, 5, 4))
    weights = {name: torch.from_numpy(array) for name, array in run.weights(1).items()}
    hidden = torch.nn.functional.conv2d(
        torch.from_numpy(images).permute(0, 3, 1, 2), weights["conv_1.weight"], weights["conv_1.bias"]
    )
    outputs = hidden.relu().flatten(1) @ weights["fc_1.weight"].T
    np.testing.assert_allclose(outputs.numpy(), nhwc_forward(kernel, bias, dense, images), rtol=1e-12)
    with pytest.warns(UserWarning, match=r"fc_1.weight \(60\).*height, width, channel.*--flatten-shape"):
        import_hdf5(tmp_path / "weights", tmp_path / "run", overwrite=True)
    with pytest.raises(MismatchError, match=r"has 48 numbers, but fc_1.weight.* has 60 inputs"):
        import_hdf5(tmp_path / "weights", tmp_path / "other", flatten_shape=(3, 4, 4))
    assert not (tmp_path / "other").exists()


def test_names_become_pytorch_s_and_stay_apart(tmp_path):
    shapes = {"a": (2,), "b": (2,), "c": (2,)}
    names = {"a": "block/bn/gamma:0", "b": "block/bn/beta:0", "c": "scale:0"}
    path = write_weights_file(tmp_path / "weights", walk(shapes=shapes), names=names.get)
    run = import_hdf5(path, tmp_path / "run")
    assert [(t.name, t.kind) for t in run.tensors] == [
        ("block.bn.weight", "norm_weight"),
        ("block.bn.bias", "norm_bias"),
        ("scale", "other"),
    ]
    names = {"a": "x/kernel:0", "b": "x/weights:0", "c": "x/beta:0"}
    path = write_weights_file(tmp_path / "weights", walk(shapes=shapes), names=names.get)
    run = import_hdf5(path, tmp_path / "run", overwrite=True)
    assert [tensor.name for tensor in run.tensors] == ["x.kernel", "x.weights", "x.beta"]


def test_damage_inside_leaves_what_came_before(tmp_path):
    points = walk(40, {"fc1.weight": (50, 40)})
    path = write_weights_file(tmp_path / "weights", points, chunks=(4, 2000), shuffle=True)
    with h5py.File(path) as file:
        chunk = file["all_weights"].id.get_chunk_info(6)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(data)
    with pytest.raises(CorruptError, match="rows 24 to 27"):
        import_hdf5(path, tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert not run.complete
    same(run, points[:24])


def plain(tmp_path, **change):
    """A small file, with one thing changed."""
    path = write_weights_file(tmp_path / "weights", walk())
    with h5py.File(path, "r+") as file:
        for name, value in change.items():
            if name == "all_weights":
                del file[name]
                if value is not None:
                    file[name] = value
            elif value is None:
                del file.attrs[name]
            else:
                file.attrs[name] = value
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"all_weights": None}, "no dataset 'all_weights'"),
        ({"all_weights": np.zeros((3, 55), np.int32)}, "points × parameters of floats"),
        ({"all_weights": np.zeros(55)}, "points × parameters of floats"),
        ({"all_weights": np.zeros((3, 55))}, "no written row"),
        ({"all_weights": h5py.ExternalLink("/etc/passwd", "all_weights")}, "of its own"),
        ({"all_weights": h5py.SoftLink("/elsewhere")}, "of its own"),
        ({"var_names": None}, "no attribute 'var_names'"),
        ({"var_names": b"a;b;c"}, "3 var_names, 4 var_shapes"),
        ({"var_names": b"a;b;a;c"}, "a repeat"),
        ({"var_shapes": b"(2, 3, 2, 3);(3,);(3, 4);(5,)"}, "56 parameters together, but a row has 55"),
    ],
)
def test_files_that_are_no_weights_files(tmp_path, change, words):
    with pytest.raises(FormatError, match=words):
        import_hdf5(plain(tmp_path, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_lists_of_names_are_read_too(tmp_path):
    names = np.array([b"conv/kernel:0", b"conv/bias:0", b"fc/kernel:0", b"fc/bias:0"])
    run = import_hdf5(plain(tmp_path, var_names=names), tmp_path / "run")
    assert [tensor.name for tensor in run.tensors] == ["conv.weight", "conv.bias", "fc.weight", "fc.bias"]


def test_what_is_no_hdf5(tmp_path):
    (tmp_path / "text").write_text("hello")
    with pytest.raises(FormatError, match="no HDF5 file"):
        import_hdf5(tmp_path / "text", tmp_path / "run")
    with pytest.raises(FormatError, match="is a folder"):
        import_hdf5(tmp_path, tmp_path / "run")
    with pytest.raises(NotFoundError, match="does not exist"):
        import_hdf5(tmp_path / "nowhere", tmp_path / "run")
    with pytest.raises(ArgumentError, match="every"):
        import_hdf5(tmp_path / "text", tmp_path / "run", every=0)


def test_an_earlier_run_is_replaced_only_when_asked_for(tmp_path):
    path = write_weights_file(tmp_path / "weights", walk())
    import_hdf5(path, tmp_path / "run")
    with pytest.raises(ArgumentError, match="already holds a run"):
        import_hdf5(path, tmp_path / "run")
    assert import_hdf5(path, tmp_path / "run", overwrite=True, name="again").name == "again"
