import json

import numpy as np
import pytest

from lca_analysis.errors import ArgumentError, NotFoundError
from lca_analysis.store import describe, open_store
from lca_analysis.store.store import Store

UNITS = {"iteration": np.arange(3), "layer": "a", "unit": 0, "lca": 1.0}
INDEX = {"layer": "a", "depth": 0, "kind": "Linear", "tensors": 2, "parameters": 6, "units": 2}


@pytest.fixture
def filled(store):
    for run in ("a", "b"):
        store.write_part("layers_index", INDEX, run)
        for split in ("train", "validation"):
            store.write_part("units", UNITS, run, split, "part-1")
    store.write_part("units", UNITS, "b", "extra", "part-1")
    store.work("a", "train").joinpath("sums.npy").touch()
    store.work("a", "validation").joinpath("sums.npy").touch()
    store.work("b").joinpath("state.json").touch()
    return store


def test_an_empty_store_lists_nothing(store):
    assert store.runs() == store.splits() == store.tables() == []


def test_lists(filled):
    assert filled.runs() == ["a", "b"]
    assert filled.splits("a") == ["train", "validation"]
    assert filled.splits() == filled.splits("b") == ["extra", "train", "validation"]
    assert filled.tables() == filled.tables("a") == ["layers_index", "units"]
    assert filled.tables("a", "extra") == filled.tables("c") == []
    assert filled.tables("b", "extra") == ["units"]
    assert filled.parts("units", "a", "train") == ["part-1"]
    assert filled.parts("units", "a", "extra") == filled.parts("layers_index", "c") == []
    with pytest.raises(NotFoundError, match="no run 'c'; it has: a, b"):
        filled.splits("c")


def test_has_part(filled):
    assert filled.has_part("units", "a", "train", "part-1")
    assert filled.has_part("units", "a", "train", "part-1.parquet")
    assert filled.has_part("layers_index", "a")
    assert not filled.has_part("units", "a", "train")
    with pytest.raises(ArgumentError, match="say which split"):
        filled.has_part("units", "a")


def test_a_folder_without_parts_is_not_a_run(filled):
    (filled.path / "units" / "run=empty" / "split=train").mkdir(parents=True)
    (filled.path / "units" / "notes").mkdir()
    (filled.path / "units" / "run=a" / "split=train" / "_half.parquet").touch()
    assert filled.runs() == ["a", "b"]
    assert filled.parts("units", "a", "train") == ["part-1"]


def test_remove_a_run(filled):
    assert filled.remove("a") == 3
    assert filled.runs() == ["b"]
    assert not (filled.path / "_work" / "run=a").exists()
    assert (filled.path / "_work" / "run=b" / "state.json").exists()
    assert len(filled.table("units")) == 9
    assert filled.remove("a") == 0


def test_remove_a_split_keeps_the_rest_of_the_run(filled):
    assert filled.remove("a", "train") == 1
    assert filled.splits("a") == ["validation"]
    assert filled.tables("a") == ["layers_index", "units"]
    assert not (filled.path / "_work/run=a/split=train").exists()
    assert (filled.path / "_work/run=a/split=validation/sums.npy").exists()


def test_remove_some_tables_keeps_the_working_files(filled):
    assert filled.remove("a", tables=["units"]) == 2
    assert filled.tables("a") == ["layers_index"]
    assert (filled.path / "_work/run=a/split=train/sums.npy").exists()
    with pytest.raises(NotFoundError, match="no table named 'unit'"):
        filled.remove("a", tables=["unit"])


def test_remove_takes_what_says_how_it_was_computed_last(filled, monkeypatch):
    order = []
    monkeypatch.setattr(Store, "_remove_table", lambda self, table, *_: order.append(table.name) or 0)
    filled.remove("a")
    assert order[-4:] == ["parameters_index", "layers_index", "computations", "runs"]
    order.clear()
    filled.remove("a", tables=["computations", "units", "results_peaks"])
    assert order == ["results_peaks", "units", "computations"]


def test_work_is_kept_and_not_read(filled):
    folder = filled.work("x y", "train")
    assert folder == filled.path / "_work" / "run=x%20y" / "split=train"
    assert filled.work("x y", "train").is_dir()
    assert "x y" not in filled.runs()


def test_describe_counts_what_is_there(filled):
    summary = describe(filled)
    assert json.loads(json.dumps(summary)) == summary
    files = list(filled.path.rglob("*.parquet"))
    assert summary["bytes"] == sum(file.stat().st_size for file in files)
    assert summary["runs"]["b"] == {
        "splits": ["extra", "train", "validation"],
        "tables": ["layers_index", "units"],
    }
    units = summary["tables"]["units"]
    assert (units["rows"], units["parts"], units["runs"]) == (15, 5, 2)
    assert sum(table["parts"] for table in summary["tables"].values()) == len(files)


def test_repr_names_the_folder(store):
    assert repr(open_store(store.path)) == f"Store({str(store.path)!r})"
