import itertools
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from lca_analysis.errors import ArgumentError, CorruptError, FormatError, NotFoundError
from lca_analysis.store import SCHEMA_VERSION, open_store, part_name, partitioning

STRANGE = ["7", "007", "a b", "50 %", "a=b", "ünï", "1e5", "nan", "True", "2024-01-01", "a%2Fb", ".", "x+y&z", "a\\b"]


def rows(first, last, layers=("a", "b"), scale=1.0):
    time, place = np.indices((last - first, len(layers)))
    lca = scale * np.arange(time.size, dtype=float)
    return {
        "iteration": first + time.ravel(),
        "layer": np.array(layers)[place.ravel()],
        "unit": 0,
        "lca": lca,
    }


@pytest.fixture
def filled(store):
    for run, split in itertools.product(("b", "a"), ("validation", "train")):
        for first in (10, 0):
            store.write_part("units", rows(first, first + 10), run, split, part_name(first, first + 10))
    return store


def test_order_and_types(filled):
    frame = filled.table("units")
    assert list(frame.columns) == ["run", "split", "iteration", "layer", "unit", "lca"]
    keys = ["run", "split", "iteration", "layer", "unit"]
    pd.testing.assert_frame_equal(frame, frame.sort_values(keys, ignore_index=True))
    assert len(frame) == 4 * 40
    assert frame.dtypes.astype(str)[["iteration", "unit", "lca"]].tolist() == ["int64", "int32", "float64"]
    assert frame.run.dtype == frame.layer.dtype == pd.Series(["x"]).dtype
    pd.testing.assert_frame_equal(open_store(filled.path).table("units"), frame)


def test_unpadded_part_names_are_read_in_the_order_of_their_numbers(store):
    for first in (10, 9, 100):
        store.write_part("units", rows(first, first + 1), "r", "train", f"part-{first}-{first + 1}")
    assert store.table("units").iteration.is_monotonic_increasing
    assert store.parts("units", "r", "train") == ["part-9-10", "part-10-11", "part-100-101"]


def test_run_split_and_columns_are_chosen(filled):
    frame = filled.table("units", run="a", split=["train"], columns=["lca", "run", "iteration"])
    assert list(frame.columns) == ["lca", "run", "iteration"]
    assert set(frame.run) == {"a"}
    assert len(frame) == 40
    assert set(filled.table("units", run=["b", "a"], split="train").run) == {"a", "b"}


@pytest.mark.parametrize(
    ("filters", "keep"),
    [
        ({"layer": "a"}, lambda f: f.layer == "a"),
        ({"layer": ["a", "c"]}, lambda f: f.layer == "a"),
        ({"iteration": range(5, 12)}, lambda f: (f.iteration >= 5) & (f.iteration < 12)),
        ({"iteration": range(0, 20, 3)}, lambda f: f.iteration % 3 == 0),
        ({"iteration": np.array([3, 15])}, lambda f: f.iteration.isin([3, 15])),
        ({"iteration": np.int64(3), "layer": "b"}, lambda f: (f.iteration == 3) & (f.layer == "b")),
        ({"iteration": 99}, lambda f: f.iteration == 99),
        ({"lca": None}, lambda f: f.lca.isna()),
    ],
)
@pytest.mark.parametrize("columns", [None, ["lca"]])
def test_filters_choose_rows(filled, filters, keep, columns):
    whole = filled.table("units")
    wanted = whole[keep(whole)].reset_index(drop=True)
    got = filled.table("units", columns=columns, **filters)
    pd.testing.assert_frame_equal(got, wanted if columns is None else wanted[columns])


def test_class_can_be_named_in_python(store):
    row = {"quantity": "q", "method": "m", "n": 3, "replication": "runs"}
    store.write_part("results_hurting", row | {"class": [-1, 0], "quantity": "q"}, "r", "train")
    assert store.table("results_hurting", class_=0)["class"].tolist() == [0]
    assert store.table("results_hurting", **{"class": -1})["class"].tolist() == [-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": ["lca", "loss"]}, r"no column\(s\) loss; it has run, split, iteration"),
        ({"columns": "lca"}, "must be a list of names"),
        ({"colour": 1}, r"no column\(s\) colour"),
        ({"layer": 1}, "layer=1 does not fit a column of string"),
        ({"iteration": "x"}, "iteration='x' does not fit a column of int64"),
    ],
)
def test_unusable_arguments(filled, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        filled.table("units", **arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("unit", {}, "no table named 'unit'"),
        ("layers", {}, "no table 'layers'; write it with: lca compute. Tables there: units"),
        ("layers", {"run": "a"}, "no table 'layers' of run a; write it with: lca compute"),
        ("results_peaks", {}, "write it with: lca analyze"),
        ("units", {"run": "c"}, "no run 'c'; it has: a, b"),
        ("units", {"run": ["a", "c"]}, "no run 'c'"),
        ("units", {"split": "test"}, "no split 'test'; it has: train, validation"),
        ("units", {"run": []}, r"of run \(none\)"),
    ],
)
def test_what_is_not_there_is_named_beside_what_is(filled, name, arguments, message):
    with pytest.raises(NotFoundError, match=message):
        filled.table(name, **arguments)


def test_a_split_of_another_run_only(filled):
    filled.remove("a", "train")
    with pytest.raises(NotFoundError, match="no table 'units' of run a of split train"):
        filled.table("units", run="a", split="train")


def test_one_of_two_runs_lacks_the_table(filled):
    filled.write_part("results_peaks", {"layer": "a", "class": -1, "rank": 1, "iteration": 0, "lca": 1}, "a", "train")
    with pytest.raises(NotFoundError, match="no table 'results_peaks' of run a, b; write it with: lca analyze"):
        filled.table("results_peaks", run=["a", "b"])


def test_split_of_a_table_kept_by_run(filled):
    with pytest.raises(ArgumentError, match="kept by run, not by split"):
        filled.table("runs", split="train")


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names_stay_as_they_are(store, name):
    store.write_part("units", rows(0, 2), name, name)
    assert store.runs() == store.splits(name) == store.splits() == [name]
    frame = store.table("units", run=name, split=name)
    assert (set(frame.run), set(frame.split)) == ({name}, {name})
    other = ds.dataset(store.path / "units", format="parquet", partitioning=partitioning("units")).to_table()
    assert (set(other["run"].to_pylist()), set(other["split"].to_pylist())) == ({name}, {name})


def test_runs_are_in_the_order_of_their_names_not_of_their_folders(store):
    for run in ("aé", "a~"):
        store.write_part("units", rows(0, 1), run, "train")
    assert store.table("units", layer="a").run.tolist() == store.runs() == ["a~", "aé"]


@pytest.mark.parametrize("name", STRANGE)
def test_folders_are_those_that_pyarrow_writes(store, tmp_path, name):
    store.write_part("units", rows(0, 2), name, name)
    table = pa.table({"run": [name], "split": [name], "lca": [1.0]})
    ds.write_dataset(table, tmp_path / "other", format="parquet", partitioning=partitioning("units"))
    ours, theirs = (
        {str(file.parent.relative_to(root)) for file in root.rglob("*.parquet")}
        for root in (store.path / "units", tmp_path / "other")
    )
    assert ours == theirs


def test_plain_pandas_reads_a_table(filled):
    filled.work("a", "train").joinpath("notes.txt").write_text("not a table")
    frame = pd.read_parquet(filled.path / "units", filters=[("run", "=", "a"), ("split", "=", "train")])
    ours = filled.table("units", run="a", split="train")
    pd.testing.assert_frame_equal(frame[ours.columns[2:]], ours[ours.columns[2:]])
    assert set(frame.run) == {"a"}


def test_plain_pandas_keeps_numbers_as_names_with_our_partitioning(store):
    for run in ("7", "8"):
        store.write_part("units", rows(0, 2), run, "train")
    where = store.path / "units"
    frame = pd.read_parquet(where, partitioning=partitioning("units"), filters=[("run", "=", "7")])
    assert set(frame.run) == {"7"}


def test_series_keep_the_width_of_the_model(store):
    names = ("weight", "step", "path_gradient", "lca")
    for run, width in (("single", np.float32), ("double", np.float64)):
        values = {name: np.array([0.1], width) for name in names}
        data = {"iteration": [0], "layer": "a", "tensor": "a.w", "index": 0} | values
        store.write_part("series", data, run, "train")
        assert {str(kind) for kind in store.table("series", run=run)[list(names)].dtypes} == {width.__name__}
    mixed = store.table("series")
    assert mixed.weight.dtype == np.float64
    assert mixed.weight.tolist() == [0.1, np.float64(np.float32(0.1))]


def test_missing_whole_numbers_stay_whole(store):
    text = ("run_id", "path", "problem", "arguments", "optimizer", "tags", "preset", "created", "versions")
    row = dict.fromkeys(text, "") | dict.fromkeys(("parameters", "tensors", "iterations", "every"), 1)
    row |= {"lossless": True, "complete": False}
    store.write_part("runs", row | {"seed": 2**60 + 1}, "a")
    store.write_part("runs", row, "b")
    frame = store.table("runs")
    assert frame.seed.dtype == store.table("runs", run="a").seed.dtype == pd.Int64Dtype()
    assert frame.seed[0] == 2**60 + 1
    assert frame.seed[1] is pd.NA
    assert frame.lossless.dtype == frame.complete.dtype == bool


def test_a_part_of_a_version_without_an_optional_column_is_read_with_nulls(store):
    text = ("run_id", "path", "problem", "arguments", "optimizer", "tags", "preset", "created", "versions")
    row = dict.fromkeys(text, "") | dict.fromkeys(("parameters", "tensors", "iterations", "every"), 1)
    row |= {"lossless": True, "complete": True}
    store.write_part("runs", row | {"error_fraction": 0.5}, "new")
    store.write_part("runs", row, "old")
    [file] = [file for values, file in store.files("runs") if values["run"] == "old"]
    old = pq.read_table(file, partitioning=None).drop_columns(["error_fraction", "longest_step", "source", "cautions"])
    pq.write_table(old, file)
    assert store.table("runs", run="old").columns.tolist() == store.table("runs", run="new").columns.tolist()
    assert store.table("runs").set_index("run")["error_fraction"].fillna(-1).to_dict() == {"new": 0.5, "old": -1}
    assert store.table("runs", columns=["every"], run="old", lossless=True)["every"].tolist() == [1]
    assert store.table("runs", columns=["run"], run="old", error_fraction=0.5).empty


def test_lists_come_back(store):
    values = [np.array([1.5, 2.5], np.float32), np.array([-1.0], np.float32), None]
    store.write_part("elements", {"iteration": 0, "tensor": ["a", "b", "c"], "lca": values}, "r", "train")
    read = store.table("elements").lca
    for got, wanted in zip(read[:2], values[:2], strict=True):
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == np.float32
    assert read[2] is None


def test_what_is_read_can_be_written_again_to_the_same_bytes(filled):
    first = filled.path / "units/run=a/split=train" / f"{part_name(0, 10)}.parquet"
    before = first.read_bytes()
    frame = filled.table("units", run="a", split="train", iteration=range(10))
    assert filled.write_part("units", frame, "a", "train", part_name(0, 10)) == first
    assert first.read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
@pytest.mark.parametrize("filters", [{}, {"layer": "a"}])
def test_a_damaged_file_is_named(filled, damage, filters):
    file = filled.path / "units/run=a/split=train" / f"{part_name(0, 10)}.parquet"
    data = bytearray(file.read_bytes())
    flipped = data[:4] + bytes(byte ^ 255 for byte in data[4:])
    file.write_bytes({"cut": data[: len(data) // 2], "flip": flipped, "empty": b""}[damage])
    with pytest.raises(CorruptError, match=rf"run=a.*{part_name(0, 10)}\.parquet is damaged"):
        filled.table("units", **filters)


def test_damaged_pages_are_found(filled):
    file = filled.path / "units/run=a/split=train" / f"{part_name(0, 10)}.parquet"
    data = bytearray(file.read_bytes())
    start = pq.ParquetFile(file).metadata.row_group(0).column(0).dictionary_page_offset
    data[start : start + 40] = bytes(40)
    file.write_bytes(data)
    with pytest.raises(CorruptError, match=r"\.parquet is damaged"):
        filled.table("units")


def test_a_file_of_something_else_is_refused(filled):
    pq.write_table(pa.table({"x": [1]}), filled.path / "units/run=a/split=train/stray.parquet")
    with pytest.raises(FormatError, match=r"stray\.parquet is not a part of the table 'units'"):
        filled.table("units")


def test_a_file_of_a_newer_schema_is_refused(filled):
    file = filled.path / "units/run=a/split=train" / f"{part_name(0, 10)}.parquet"
    table = pq.ParquetFile(file).read()
    newer = table.schema.metadata | {b"schema_version": str(SCHEMA_VERSION + 1).encode()}
    pq.write_table(table.replace_schema_metadata(newer), file)
    with pytest.raises(FormatError, match=rf"schema version {SCHEMA_VERSION + 1}; .* upgrade lca-analysis"):
        filled.table("units")


def write_some(path, worker):
    store = open_store(path, create=True)
    for first in range(worker, 24, 4):
        store.write_part("units", rows(first, first + 1), "r", "train", part_name(first, first + 1))


def test_processes_may_write_different_parts_at_once(tmp_path):
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        list(pool.map(write_some, [tmp_path / "s"] * 4, range(4)))
    frame = open_store(tmp_path / "s").table("units", layer="a")
    assert frame.iteration.tolist() == list(range(24))
