"""LCA along directions: against sums over parameters one by one, in every form of the file, and what is refused."""

import numpy as np
import pytest
import safetensors.numpy

import lca_analysis as lca
from lca_analysis.cli.entry import main
from lca_analysis.errors import ArgumentError, CorruptError, FormatError, LcaError, MismatchError, NotFoundError

SIZES = {"0.weight": (6, 5), "0.bias": (6,), "2.weight": (3, 6), "2.bias": (3,)}


def orthonormal(count, size=57, seed=0):
    """Give random orthonormal rows."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, count)))[0].T


def by_tensor(basis):
    """Cut rows into the tensors of the MLP."""
    ends = np.cumsum([np.prod(shape) for shape in SIZES.values()])
    parts = np.split(basis, ends[:-1], axis=1)
    return {name: part.reshape(-1, *shape) for (name, shape), part in zip(SIZES.items(), parts, strict=True)}


def computed(run, folder, file, **settings):
    """Compute along the directions of a file; give the table, and what was allocated by iteration."""
    lca.compute(run.path, folder, splits="train", range_length=4, directions=file, **settings)
    store = lca.open_store(folder)
    return store.table("directions").set_index(["iteration", "direction"]), store


@pytest.fixture(scope="module")
def double_run(small, tmp_path_factory):
    return small.record(small.build("mlp", dtype="float64"), tmp_path_factory.mktemp("double") / "run", iterations=6)


@pytest.mark.parametrize("count", [1, 4, 57])
def test_directions_and_remainder_against_loops(double_run, tmp_path, count):
    basis = orthonormal(count)
    np.savez(tmp_path / "basis.npz", directions=basis)
    rows, store = computed(double_run, tmp_path / "store", tmp_path / "basis.npz")
    series = store.table("series").set_index("iteration")
    allocated = store.table("iterations").set_index("iteration")["allocated"]
    for iteration in range(6):
        # All parameters of the small model are in the series, tensor by tensor in the order of their names.
        values = series.loc[iteration].set_index(["tensor", "index"])
        order = [(name, i) for name, shape in SIZES.items() for i in range(int(np.prod(shape)))]
        step, gradient = (values.loc[order, column].tolist() for column in ("step", "path_gradient"))
        total = 0.0
        for number, direction in enumerate(basis.tolist()):
            moved = sum(d * u for d, u in zip(step, direction, strict=True))
            slope = sum(g * u for g, u in zip(gradient, direction, strict=True))
            found = rows.loc[(iteration, number), ["step", "path_gradient", "lca"]]
            assert found.tolist() == pytest.approx([moved, slope, moved * slope], rel=1e-9, abs=1e-15)
            total += moved * slope
        rest = sum(d * g for d, g in zip(step, gradient, strict=True)) - total
        assert rows.loc[(iteration, -1), "lca"] == pytest.approx(rest, abs=1e-14)
        assert rows.loc[iteration, "lca"].sum() == pytest.approx(allocated[iteration], rel=1e-12)
    if count == 57:
        assert rows.xs(-1, level="direction")["lca"].abs().max() < 1e-14, "a whole basis leaves nothing"
    assert rows.xs(-1, level="direction")[["step", "path_gradient"]].isna().all(axis=None)


def test_every_form_of_the_file_gives_the_same(mlp_run, tmp_path):
    basis = orthonormal(3).astype(np.float32)
    basis[:, 30:36] = 0.0
    basis = np.linalg.qr(basis.T)[0].T.astype(np.float32)
    cut = by_tensor(basis)
    assert not cut["0.bias"].any()
    np.savez(tmp_path / "flat.npz", directions=basis)
    np.savez(tmp_path / "cut.npz", **{name: array for name, array in cut.items() if name != "0.bias"})
    safetensors.numpy.save_file({"directions": np.ascontiguousarray(basis)}, tmp_path / "flat.safetensors")
    safetensors.numpy.save_file({n: np.ascontiguousarray(a) for n, a in cut.items()}, tmp_path / "cut.safetensors")
    tables = {}
    for name in ("flat.npz", "cut.npz", "flat.safetensors", "cut.safetensors"):
        tables[name] = computed(mlp_run, tmp_path / f"of-{name}", tmp_path / name)[0]
    assert tables["flat.npz"]["lca"].ne(0).all()
    for table in tables.values():
        assert table.equals(tables["flat.npz"])


def test_the_same_bytes_with_workers_and_again(small, mlp_run, tmp_path):
    np.savez(tmp_path / "basis.npz", directions=orthonormal(2))
    settings = {"range_length": 4, "splits": "train", "directions": str(tmp_path / "basis.npz")}
    lca.compute(mlp_run.path, tmp_path / "one", **settings)
    lca.compute(mlp_run.path, tmp_path / "two", workers=2, **settings)
    assert small.snapshot(tmp_path / "one") == small.snapshot(tmp_path / "two")
    assert lca.compute(mlp_run.path, tmp_path / "one", **settings).did_nothing
    np.savez(tmp_path / "basis.npz", directions=orthonormal(2, seed=1))
    with pytest.raises(MismatchError, match="computed with directions = "):
        lca.compute(mlp_run.path, tmp_path / "one", **settings)


def write_text(path):
    path.write_text("no arrays")


def write_objects(path):
    np.savez(path, directions=np.array([{"a": 1}], dtype=object))


def savez(**arrays):
    return lambda path: np.savez(path, **arrays)


SLANTED = orthonormal(3)
SLANTED[2] += 0.01 * SLANTED[0]
REFUSED = {
    "missing": ("none.npz", lambda path: None, NotFoundError, "no such file"),
    "other suffix": ("basis.txt", write_text, FormatError, r"\.npz and \.safetensors"),
    "damaged npz": ("basis.npz", write_text, CorruptError, "damaged"),
    "damaged safetensors": ("basis.safetensors", write_text, CorruptError, "damaged"),
    "pickles": ("basis.npz", write_objects, CorruptError, "more than plain arrays"),
    "too short": ("basis.npz", savez(directions=orthonormal(2, 56)), MismatchError, r"shape \(R, 57\).*\(2, 56\)"),
    "unknown tensor": ("basis.npz", savez(fc=np.eye(2)), MismatchError, "no tensor 'fc'; it has 0.weight"),
    "wrong shape": ("b.npz", savez(**{"2.bias": np.eye(2)}), MismatchError, r"\(R, \*\(3,\)\), not \(2, 2\)"),
    "two counts": ("b.npz", savez(**{"2.bias": np.eye(3), "0.bias": np.eye(6)}), MismatchError, r"found \[3, 6\]"),
    "not normal": ("b.npz", savez(directions=2 * orthonormal(2)), ArgumentError, "orthonormal"),
    "not orthogonal": ("b.npz", savez(directions=SLANTED), ArgumentError, "directions 0 and 2 is 0.01"),
    "no direction": ("b.npz", savez(directions=np.zeros((0, 57))), ArgumentError, "no direction"),
    "not finite": ("b.npz", savez(directions=np.full((1, 57), np.nan)), ArgumentError, "finite"),
    "whole numbers": ("b.npz", savez(directions=np.eye(57, dtype=int)), ArgumentError, "floating-point"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(mlp_run, tmp_path, case):
    name, write, error, words = REFUSED[case]
    write(tmp_path / name)
    with pytest.raises(error, match=words) as caught:
        lca.compute(mlp_run.path, tmp_path / "store", directions=str(tmp_path / name))
    assert isinstance(caught.value, LcaError)
    assert not (tmp_path / "store").exists()


def test_the_command_line(mlp_run, tmp_path, capsys):
    np.savez(tmp_path / "basis.npz", directions=orthonormal(2))
    command = ["compute", mlp_run.path, "--store", str(tmp_path / "store"), "--workers", "1", "--quiet", "--directions"]
    with pytest.raises(SystemExit) as ended:
        main([*command, str(tmp_path / "basis.npz")])
    assert ended.value.code == 0
    assert len(lca.open_store(tmp_path / "store").table("directions", split="train")) == 33
    np.savez(tmp_path / "basis.npz", directions=SLANTED)
    with pytest.raises(SystemExit) as ended:
        main([*command, str(tmp_path / "basis.npz")])
    assert ended.value.code == 2
    assert "orthonormal" in capsys.readouterr().err
