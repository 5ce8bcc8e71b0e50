"""The synthetic store of the other tests is consistent, and has what was planted in it."""

import itertools

import numpy as np
import pandas as pd
import pytest
from synthetic_store import MOMENTUM, PERIOD, _flips, hurting_layer, peak_iterations, synthetic_store

from lca_analysis.store import TABLES, Store

KEYS = ["run", "split", "iteration"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = synthetic_store(tmp_path_factory.mktemp("synthetic") / "s", classes=3)
    return synthetic_store(made.path, run="other", seed=1, layers=2, iterations=150)


@pytest.fixture(scope="module")
def layers(store: Store) -> pd.DataFrame:
    return store.table("layers", class_=-1)


def test_it_has_every_table_that_a_computation_writes(store):
    computed = {name for name, table in TABLES.items() if table.written_by == "lca compute"}
    assert set(store.tables()) == computed
    assert store.runs() == ["other", "synthetic"]
    assert store.splits() == ["train", "validation"]


def test_layers_add_up_to_what_was_allocated(store):
    by = [*KEYS, "class"]
    total = store.table("layers").groupby(by).lca.sum()
    iterations = store.table("iterations").set_index(by)
    np.testing.assert_allclose(total, iterations.allocated.sort_index(), atol=1e-13)


def test_losses_follow_from_what_was_allocated_but_for_a_small_residual(store):
    frame = store.table("iterations")
    np.testing.assert_array_equal(frame.loss_change, frame.loss_after - frame.loss_before)
    np.testing.assert_allclose(frame.residual, frame.loss_change - frame.allocated)
    assert 0 < frame.residual.abs().max() < 1e-6
    assert (frame.loss_before > 0).mean() > 0.9
    for _, one in frame.groupby(["run", "split", "class"]):
        np.testing.assert_array_equal(one.loss_after[:-1], one.loss_before[1:])


def test_units_add_up_to_layers(store, layers):
    units = store.table("units").groupby([*KEYS, "layer"]).lca.sum()
    np.testing.assert_allclose(units, layers.groupby([*KEYS, "layer"]).lca.sum(), atol=1e-14)


def test_parameters_add_up_to_tensors(store, layers):
    by = ["run", "split", "tensor"]
    columns = ["lca", "lca_helping", "lca_hurting", "n_helping", "n_hurting"]
    ours, theirs = (frame.groupby(by)[columns].sum() for frame in (store.table("parameters"), layers))
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_histogram_counts_and_sums_are_those_of_the_layers(store, layers):
    by = ["run", "split", "layer"]
    histogram = store.table("histogram")
    np.testing.assert_allclose(histogram.groupby(by).lca.sum(), layers.groupby(by).lca.sum(), atol=1e-12)
    for sign, name in ((-1, "n_helping"), (0, "n_zero"), (1, "n_hurting")):
        counted = histogram[np.sign(histogram.bin) == sign].groupby(by)["count"].sum()
        assert counted.to_dict() == layers.groupby(by)[name].sum().loc[counted.index].to_dict()


def test_series_are_the_same_motion(store, layers):
    series = store.table("series", run="synthetic", split="train")
    np.testing.assert_allclose(series.lca, series.step * series.path_gradient, rtol=1e-5, atol=1e-12)
    sums = series.astype({"lca": float}).groupby(["iteration", "tensor"]).lca.sum()
    chosen = layers[(layers.run == "synthetic") & (layers.split == "train")]
    np.testing.assert_allclose(sums, chosen.groupby(["iteration", "tensor"]).lca.sum(), atol=1e-6)
    weight = series.pivot(index="iteration", columns=["tensor", "index"], values="weight")
    step = series.pivot(index="iteration", columns=["tensor", "index"], values="step")
    np.testing.assert_allclose(weight.diff().iloc[1:], step.iloc[:-1], atol=1e-6)


def test_flips_are_those_of_the_series(store):
    series = store.table("series", run="synthetic", split="train")
    parameters = store.table("parameters", run="synthetic", split="train").set_index(["tensor", "index"])
    for (tensor, index), one in series.groupby(["tensor", "index"]):
        for column, flips in (("step", "step_flips"), ("path_gradient", "gradient_flips")):
            signs = [np.sign(value) for value in one[column] if value != 0]
            counted = sum(a != b for a, b in itertools.pairwise(signs))
            assert parameters.loc[(tensor, index), flips] == counted


def test_flips_skip_zeros():
    values = np.array([[1, 0, -1, 0, 0, -2, 3.0], [0, 0, 1, 0, 1, 1, 0]]).T
    assert _flips(values).tolist() == [2, 0]


def test_classes_add_up_to_the_whole(store):
    for name, column in (("layers", "lca"), ("iterations", "allocated")):
        frame = store.table(name, run="synthetic")
        by = [key for key in (*KEYS, "tensor") if key in frame]
        whole, parts = (frame[(frame["class"] < 0) == is_whole].groupby(by)[column].sum() for is_whole in (True, False))
        np.testing.assert_allclose(parts, whole, atol=1e-13)


def test_the_part_of_momentum_is_that_of_the_previous_step(store, layers):
    series = store.table("series", run="synthetic", split="train", tensor="fc2.weight").astype({"step": float})
    gradient, step = (
        series.pivot(index="iteration", columns="index", values=name) for name in ("path_gradient", "step")
    )
    carried = (gradient * MOMENTUM * step.shift(fill_value=0)).sum(axis=1)
    chosen = (layers.run == "synthetic") & (layers.split == "train") & (layers.tensor == "fc2.weight")
    np.testing.assert_allclose(layers[chosen].lca_momentum, carried, atol=1e-6)


def test_the_parts_of_the_update_add_up(layers):
    parts = layers.lca_momentum + layers.lca_decay + layers.lca_gradient
    np.testing.assert_allclose(parts, layers.lca, atol=1e-14)
    np.testing.assert_allclose(layers.lca_helping + layers.lca_hurting, layers.lca, atol=1e-14)


def test_counts_are_those_of_the_index(store, layers):
    index = store.table("parameters_index")
    size = index.set_index(["run", "tensor"]).parameters
    counted = (layers.n_helping + layers.n_hurting + layers.n_zero).set_axis(
        pd.MultiIndex.from_frame(layers[["run", "tensor"]])
    )
    assert (counted == size.reindex(counted.index)).all()
    assert index["shape"].map(np.prod).tolist() == index.parameters.tolist()
    by_layer = store.table("layers_index").set_index(["run", "layer"]).parameters
    assert by_layer.to_dict() == index.groupby(["run", "layer"]).parameters.sum().to_dict()
    runs = store.table("runs").set_index("run").parameters
    assert runs.to_dict() == index.groupby("run").parameters.sum().to_dict()


def test_only_the_last_layer_hurts(layers):
    totals = layers.groupby(["run", "split", "layer"]).lca.sum()
    for (run, _, layer), total in totals.items():
        last = hurting_layer(3 if run == "synthetic" else 2)
        assert (total > 0) == (layer == last)
    assert 50 < 100 * layers.n_helping.sum() / (layers.n_helping + layers.n_hurting).sum() < 60


def test_layers_share_their_deepest_moments(layers):
    chosen = layers[(layers.run == "synthetic") & (layers.split == "train")]
    lca = chosen.groupby(["layer", "iteration"]).lca.sum().unstack("layer")
    planted = set(peak_iterations(200))
    deepest = [set(lca[name].nsmallest(len(planted)).index) for name in lca]
    assert all(len(planted & found) >= len(planted) - 2 for found in deepest)


def test_the_gradient_oscillates_with_the_planted_period(store):
    series = store.table("series", run="synthetic", split="train")
    gradient = series.pivot(index="iteration", columns=["tensor", "index"], values="path_gradient")
    power = (np.abs(np.fft.rfft(gradient, axis=0)) ** 2).mean(1)
    assert abs(np.fft.rfftfreq(len(gradient))[power.argmax()] - 1 / PERIOD) < 0.01


def test_the_dead_input_never_moves_the_loss(store):
    parameters = store.table("parameters", run="synthetic", tensor="fc1.weight")
    dead = parameters["index"] % 4 == 0
    assert (parameters.lca[dead] == 0).all()
    assert (parameters.lca[~dead] != 0).all()


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    stores = [synthetic_store(tmp_path / name, layers=2, iterations=30, seed=4).path for name in "ab"]
    files = [sorted(path.rglob("*.parquet")) for path in stores]
    assert [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]
