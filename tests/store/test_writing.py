import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lca_analysis.errors import ArgumentError, NotFoundError
from lca_analysis.store import part_name
from lca_analysis.store.files import parquet_bytes

UNITS = {
    "iteration": np.repeat([0, 1], 3),
    "layer": ["a", "a", "b"] * 2,
    "unit": [0, 1, 0] * 2,
    "lca": np.array([-1.0, 0.5, np.nan, 0.0, 2.0, -3.0]),
}


def write(store, data=None, part="part"):
    return store.write_part("units", UNITS if data is None else data, "r", "train", part)


def shuffled(order):
    return {name: np.asarray(values)[order] for name, values in UNITS.items()}


def test_the_file_lies_where_hive_readers_look(store):
    assert write(store, part=part_name(0, 2)) == (
        store.path / "units" / "run=r" / "split=train" / "part-0000000000-0000000002.parquet"
    )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(6)))
def test_rows_in_any_order_give_the_same_bytes(store, order):
    wanted = write(store).read_bytes()
    assert write(store, shuffled(order)).read_bytes() == wanted


def test_the_shape_of_the_input_does_not_change_the_bytes(store):
    wanted = write(store).read_bytes()
    frame = pd.DataFrame(UNITS)
    arrow = pa.Table.from_pandas(frame)
    chunks = pa.concat_tables([arrow.slice(0, 2), arrow.slice(2)])
    small = frame.assign(iteration=frame.iteration.astype("int16"), layer=frame.layer.astype("category"))
    odd_index = frame.set_index(pd.Index([5, 5, 4, 3, 2, 1]))[["lca", "unit", "layer", "iteration"]]
    for data in (frame, arrow, chunks, small, odd_index):
        assert write(store, data).read_bytes() == wanted


def test_words_given_as_codes(store):
    wanted = write(store).read_bytes()
    twice = pa.DictionaryArray.from_arrays([0, 2, 1, 0, 2, 1], ["a", "b", "a"])
    for layer in (pd.Categorical(UNITS["layer"], ["b", "unused", "a"]), twice):
        assert write(store, UNITS | {"layer": layer}).read_bytes() == wanted
        backwards = {name: values[::-1] for name, values in (UNITS | {"layer": layer}).items()}
        assert write(store, backwards).read_bytes() == wanted
    with pytest.raises(ArgumentError, match="the same keys"):
        write(store, UNITS | {"layer": twice, "unit": 0})


def test_another_process_writes_the_same_bytes(store):
    wanted = write(store).read_bytes()
    code = (
        "import numpy as np; from lca_analysis.store import open_store\n"
        f"s = open_store({str(store.path)!r})\n"
        "s.write_part('units', {'iteration': np.repeat([0, 1], 3), 'layer': ['a', 'a', 'b'] * 2,"
        " 'unit': [0, 1, 0] * 2, 'lca': [-1.0, 0.5, None, 0.0, 2.0, -3.0]}, 'other', 'train')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert (store.path / "units/run=other/split=train/part.parquet").read_bytes() == wanted


def test_rows_lie_in_the_file_by_the_sort_keys(store):
    rows = pq.ParquetFile(write(store, shuffled([5, 3, 4, 0, 2, 1]))).read()
    assert rows["iteration"].to_pylist() == [0, 0, 0, 1, 1, 1]
    assert rows["layer"].to_pylist() == ["a", "a", "b"] * 2
    assert rows["lca"].to_pylist() == [-1.0, 0.5, None, 0.0, 2.0, -3.0]


def test_what_is_in_a_file(store):
    opened = pq.ParquetFile(write(store))
    metadata = opened.metadata
    assert set(metadata.metadata) == {b"ARROW:schema", b"table", b"schema_version"}
    assert metadata.created_by.startswith("parquet-cpp-arrow version")
    assert metadata.format_version == "2.6"
    assert metadata.num_row_groups == 1
    group = metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert "RLE_DICTIONARY" in columns["layer"].encodings
    assert columns["iteration"].statistics.max == 1
    assert opened.schema_arrow.field("lca").metadata[b"unit"] == b"loss"


def test_nan_is_stored_as_null_and_infinity_as_itself(store):
    file = write(store, UNITS | {"lca": np.array([np.nan, np.inf, -np.inf, 0, 1, 2])})
    assert pq.ParquetFile(file).read()["lca"].to_pylist()[:3] == [None, np.inf, -np.inf]


def test_nan_of_arrow_is_stored_as_null_too(store):
    frame = pa.table({"iteration": [0], "layer": ["a"], "unit": [0], "lca": pa.array([np.nan])})
    assert frame["lca"].null_count == 0
    assert pq.ParquetFile(write(store, frame)).read()["lca"].null_count == 1


def test_nulls_of_the_sort_keys_come_first(store):
    data = {"iteration": 0, "layer": ["b", None, "a"], "percent_helping": [1.0, 2.0, 3.0]}
    store.write_part("results_helping_series", data, "r", "train")
    assert store.table("results_helping_series").percent_helping.tolist() == [2, 3, 1]


def test_chunks_do_not_change_the_bytes():
    whole = pa.table({"x": np.arange(100_000.0), "s": ["a", "b"] * 50_000})
    chunks = pa.concat_tables([whole.slice(0, 1700), whole.slice(1700)])
    assert chunks["x"].num_chunks == 2
    assert parquet_bytes(chunks) == parquet_bytes(whole)


def test_writing_again_replaces_and_leaves_nothing_else(store):
    write(store)
    write(store, UNITS | {"lca": 7.0})
    assert set(store.table("units").lca) == {7.0}
    assert [file.name for file in (store.path / "units/run=r/split=train").iterdir()] == ["part.parquet"]


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_crash_before_the_move_leaves_the_old_part(store, monkeypatch, where):
    old = write(store).read_bytes()

    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, where, crash)
    with pytest.raises(KeyboardInterrupt):
        write(store, UNITS | {"lca": 7.0})
    monkeypatch.undo()
    assert store.parts("units", "r", "train") == ["part"]
    assert (store.path / "units/run=r/split=train/part.parquet").read_bytes() == old
    assert len(list((store.path / "units/run=r/split=train").iterdir())) == 1


def test_what_a_killed_writer_leaves_is_not_read(store):
    folder = write(store).parent
    (folder / "_part-0123.tmp").write_bytes(b"half a file")
    assert store.parts("units", "r", "train") == ["part"]
    assert len(store.table("units")) == len(pd.read_parquet(store.path / "units")) == 6


def test_the_part_is_on_the_disk_before_it_is_moved_and_its_folder_after(store, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def log_fsync(descriptor):
        events.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        fsync(descriptor)

    def log_replace(source, target):
        events.append("move")
        assert os.path.basename(source).startswith("_")
        assert os.path.dirname(source) == os.path.dirname(target)
        replace(source, target)

    write(store)
    monkeypatch.setattr(os, "fsync", log_fsync)
    monkeypatch.setattr(os, "replace", log_replace)
    write(store)
    assert events == ["file", "move", "folder"]
    events.clear()
    store.write_part("units", UNITS, "new run", "train")
    assert events == ["folder", "folder", "file", "move", "folder"]


def test_a_refused_part_touches_nothing(store):
    with pytest.raises(ArgumentError):
        write(store, {"iteration": [0]})
    assert not (store.path / "units").exists()


def test_single_values_fill_their_column(store):
    write(store, {"iteration": np.arange(3), "layer": "a", "unit": np.int64(2), "lca": None})
    frame = store.table("units")
    assert frame.unit.tolist() == [2, 2, 2]
    assert frame.lca.isna().all()
    write(store, {"iteration": 4, "layer": "a", "unit": np.array(0), "lca": 1.5})
    assert store.table("units").iteration.tolist() == [4]


def test_optional_columns_may_be_left_out_others_not(store):
    row = {"quantity": "q", "class": -1, "method": "m", "n": 3, "replication": "iterations"}
    store.write_part("results_helping", row, "r", "train")
    assert store.table("results_helping").estimate.isna().all()
    with pytest.raises(ArgumentError, match=r"'results_helping'.*lacks the column\(s\) class, n"):
        store.write_part("results_helping", {k: row[k] for k in ("quantity", "method", "replication")}, "r", "train")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lca": [1.0]}, "different lengths: iteration 6, layer 6, unit 6, lca 1"),
        ({"extra": 1}, r"no column\(s\) extra; it has iteration, layer, unit, lca"),
        ({"layer": 7}, "'layer': it takes string, not int64"),
        ({"unit": "0"}, "'unit': it takes int32, not string"),
        ({"unit": True}, "'unit': it takes int32, not bool"),
        ({"unit": 2**40}, "'unit': not all values are int32"),
        ({"unit": 0.5}, "'unit': not all values are int32"),
        ({"unit": [0, 1, None] * 2}, r"'unit': 2 value\(s\) are missing"),
        ({"layer": ["a", 1, "b"] * 2}, "'layer': it takes string"),
        ({"lca": np.zeros((6, 2))}, "'lca': it takes double"),
        ({"unit": [0, 0, 0] * 2}, r"two rows have the same keys \(iteration 0, layer 'a', unit 0\)"),
        ({"run": "other"}, "the data is of run 'other', not 'r'"),
        ({"split": ["train"] * 5 + ["x"]}, "the data is of split 'train', 'x', not 'train'"),
    ],
)
def test_data_that_does_not_fit_is_refused(store, change, message):
    with pytest.raises(ArgumentError, match=f"table 'units'.*{message}"):
        write(store, UNITS | change)


@pytest.mark.parametrize("part", ["", "_part", ".part", "a/b", "a b", "../x"])
def test_part_names_that_readers_would_not_see_are_refused(store, part):
    with pytest.raises(ArgumentError, match="cannot name a part"):
        write(store, part=part)


@pytest.mark.parametrize("run", ["", "a/b", "__HIVE_DEFAULT_PARTITION__", "\ud800", 7, "x" * 300])
def test_run_names_that_cannot_be_folders_are_refused(store, run):
    with pytest.raises(ArgumentError, match="run"):
        store.write_part("units", UNITS, run, "train")


def test_split_is_asked_for_exactly_where_it_is_kept(store):
    with pytest.raises(ArgumentError, match="say which split"):
        store.write_part("units", UNITS, "r")
    with pytest.raises(ArgumentError, match="kept by run, not by split"):
        store.write_part("layers_index", {}, "r", "train")
    with pytest.raises(NotFoundError, match="no table named 'unit'"):
        store.write_part("unit", UNITS, "r", "train")


def test_a_table_without_rows_keeps_its_types(store):
    write(store, {name: [] for name in UNITS})
    frame = store.table("units")
    assert len(frame) == 0
    assert frame.dtypes.astype(str).to_dict()["iteration"] == "int64"
