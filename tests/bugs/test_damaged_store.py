"""A damaged or incomplete store: noticed, and repaired by computing again."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import lca_analysis as lca
from lca_analysis.errors import CorruptError, NotFoundError

RUN = Path(__file__).parents[2] / "data" / "digits_mlp"
TABLES = ("iterations", "layers", "units", "series", "elements", "parameters", "histogram", "computations")
OPTIONS = {"elements": True, "range_length": 24, "splits": "validation", "progress": False}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    store = tmp_path_factory.mktemp("whole") / "store"
    lca.compute(RUN, store, **OPTIONS)
    return store


def files(store):
    return {file.relative_to(store): file.read_bytes() for file in store.rglob("*.parquet")}


@pytest.mark.parametrize("table", [*TABLES, "runs", "layers_index", "parameters_index"])
def test_a_missing_part_is_computed_again(whole, tmp_path, table):
    store = tmp_path / "store"
    shutil.copytree(whole, store)
    next((store / table).rglob("*.parquet")).unlink()
    lca.compute(RUN, store, **OPTIONS)
    assert files(store) == files(whole)
    assert not list((store / "_work").rglob("accumulators-*-0000000024.sums"))


def test_every_flipped_bit_of_the_values_is_noticed(whole, tmp_path):
    original = next((whole / "layers").rglob("*.parquet"))
    expected = lca.open_store(whole).table("layers")
    store = tmp_path / "store"
    shutil.copytree(whole, store)
    file = store / original.relative_to(whole)
    rng = np.random.default_rng(0)
    data = original.read_bytes()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    noticed = 0
    for place in rng.integers(4, len(data) - footer, 60).tolist():
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        try:
            assert lca.open_store(store).table("layers").equals(expected)
        except CorruptError as error:
            noticed += file.name in str(error)
    assert noticed >= 50  # the others hit bytes that carry no value, and change nothing


def test_an_unfinished_run_is_not_analysed_in_silence(whole, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(whole, store)
    shutil.rmtree(store / "computations")
    with pytest.raises(NotFoundError, match="not computed to its end"):
        lca.analyze(store, progress=False)


def test_a_run_without_results_does_not_keep_others_from_being_reported(whole, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(whole, store)
    lca.analyze(store, progress=False)
    shutil.copytree(store / "runs" / "run=digits_mlp", store / "runs" / "run=other")
    with pytest.warns(UserWarning, match="'other'"):
        pages = lca.report(store, tmp_path / "report", progress=False)
    assert [page.parent.name for page in pages] == ["digits_mlp"]
