"""What the figures are given: sums, order, and nothing estimated."""

import re
from base64 import b64decode
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import CenteredNorm
from PIL import Image
from report import made_up
from synthetic_store import synthetic_store

from lca_analysis.report import sources as frames
from lca_analysis.report.catalogue import DRAWINGS
from lca_analysis.report.embedding import embed
from lca_analysis.report.figures.axes import draw_heat, new_axes, new_figure
from lca_analysis.report.figures.style import LCA_COLORS
from lca_analysis.report.saving import render
from lca_analysis.report.sources import Sources


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A consistent store of three layers with classes and two tensors a layer."""
    return Sources(synthetic_store(tmp_path_factory.mktemp("planted"), classes=2), "synthetic")


def test_train_comes_first_and_layers_by_depth(planted, store_of, tmp_path):
    assert planted.splits == ["train", "validation"]
    other = synthetic_store(tmp_path, iterations=2, splits=("all", "train"))
    assert Sources(other, "synthetic").splits == ["train", "all"]
    assert planted.split == "train"
    many = Sources(store_of(21), "run")
    assert many.layers == made_up.layer_names(21)
    assert list(dict.fromkeys(many.table("results_cumulative")["layer"])) == made_up.layer_names(21)
    assert many.table("results_helping_series")["layer"].isna().iloc[0]


def test_tables_leave_single_classes_out(planted):
    assert set(planted.table("iterations")["class"]) == {-1}
    assert len(planted.table("layers")) == 200 * 6


def test_rebuilt_loss_is_the_first_loss_plus_what_was_allocated(planted):
    points = frames.loss_points(planted)
    train = points[points["split"] == "train"]
    assert list(train["iteration"]) == list(range(201))
    np.testing.assert_allclose(train["loss"], train["rebuilt"], atol=1e-4)
    steps = planted.table("iterations")
    assert train["rebuilt"].iloc[-1] == pytest.approx(steps["loss_before"].iloc[0] + steps["allocated"].sum())


def test_layer_totals_add_up_to_the_loss_change(planted):
    totals = frames.layer_totals(planted)
    assert list(totals["layer"]) == ["fc1", "fc2", "fc3"]
    assert totals["lca"].sum() == pytest.approx(planted.table("iterations")["allocated"].sum())
    np.testing.assert_allclose(totals["lca"], totals["lca_helping"] + totals["lca_hurting"])
    np.testing.assert_allclose(totals["lca"], totals[list(frames.PARTS)].sum(axis=1))
    assert totals["lca"].iloc[-1] > 0


def test_layers_are_drawn_with_the_interval_of_their_test(store_of):
    [drawing] = [drawing for drawing in DRAWINGS if drawing.name == "layers"]
    right = drawing.draw(Sources(store_of(3), "run")).axes[1]
    ends = {tuple(line.get_xdata()) for line in right.get_lines() if len(set(line.get_ydata())) == 1}
    assert ends == {(-0.9, -0.1)}


def test_histogram_of_the_network_keeps_every_value(planted):
    rows = frames.histogram_of_network(planted)
    assert rows["count"].sum() == 200 * 3 * 40
    assert rows["lca"].sum() == pytest.approx(frames.layer_totals(planted)["lca"].sum())
    assert rows["bin"].is_unique


def test_units_keep_their_sums_over_spans(planted, monkeypatch):
    monkeypatch.setattr(frames, "MOST_UNIT_COLUMNS", 30)
    few = frames.largest_units(planted)
    assert few["iteration"].nunique() == 29
    whole = planted.store.table("units", run="synthetic", split="train")
    expected = whole.groupby(["layer", "unit"])["lca"].sum()
    pd.testing.assert_series_equal(few.groupby(["layer", "unit"])["lca"].sum(), expected, check_dtype=False)


def test_units_are_the_largest_from_helping_to_hurting(planted, monkeypatch):
    monkeypatch.setattr(frames, "MOST_UNIT_ROWS", 12)
    few = frames.largest_units(planted)
    whole = planted.store.table("units", run="synthetic", split="train")
    for layer, rows in few.groupby("layer"):
        totals = whole[whole["layer"] == layer].groupby("unit")["lca"].sum()
        shown = list(dict.fromkeys(rows["unit"]))
        assert set(shown) == set(totals.abs().nlargest(4).index)
        assert list(totals[shown]) == sorted(totals[shown])


def test_units_without_a_number_stay_without(tmp_path):
    store = made_up.write_store(tmp_path, 3)
    units = made_up.tables(3)["units"]
    units.loc[units["iteration"] == 7, "lca"] = np.nan
    store.write_part("units", units, "run", "train")
    few = frames.largest_units(Sources(store, "run"))
    assert few.loc[few["iteration"] == 7, "lca"].isna().all()
    assert few.loc[few["iteration"] != 7, "lca"].notna().all()


def test_peaks_count_the_layers_that_share_an_iteration(store_of):
    rows = frames.peaks_with_counts(Sources(store_of(21), "run"))
    for iteration, part in rows.groupby("iteration"):
        assert set(part["layers"]) == {part["layer"].nunique()}, iteration


def test_too_large_pictures_are_drawn_more_coarsely():
    figures = {}
    for name in ("small", "noisy"):
        figures[name] = new_figure(4.0)
        pixels = np.zeros((2, 2)) if name == "small" else np.random.default_rng(0).random((400, 400))
        figures[name].subplots().imshow(pixels, interpolation="nearest")
    files = {name: render(figure) for name, figure in figures.items()}
    whole = embed(figures, files, most=10**9)
    most = len(files["noisy"]["png"]) // 2
    coarse = embed(figures, files, most=most)
    assert coarse["small"] == whole["small"]
    assert sum(len(picture.source) for picture in coarse.values()) <= most * 4 / 3 + 100
    assert (coarse["noisy"].width, coarse["noisy"].height) == (whole["noisy"].width, whole["noisy"].height)


def test_figures_of_lines_are_embedded_as_vectors():
    figure = new_figure(3.0)
    figure.subplots().plot([0, 1], [0, 1])
    assert embed({"a": figure}, {"a": render(figure)})["a"].source.startswith("data:image/svg+xml;base64,")


def heat_map(columns):
    """Draw a heat map of 30 rows, and give it as a file with its pictures."""
    ax = new_axes(None)
    draw_heat(ax, pd.DataFrame(np.random.default_rng(0).normal(size=(30, columns))), LCA_COLORS, CenteredNorm())
    figure = ax.get_figure()
    files = render(figure)
    pictures = re.findall(rb'xlink:href="data:image/png;base64,([^"]+)"', files["svg"])
    return figure, files, [Image.open(BytesIO(b64decode(picture))).size for picture in pictures]


def test_heat_maps_are_stored_as_one_pixel_per_cell():
    figure, files, sizes = heat_map(400)
    assert sizes == [(400, 30)]
    assert embed({"a": figure}, {"a": files})["a"].source.startswith("data:image/svg+xml;base64,")


def test_heat_maps_of_more_columns_than_a_screen_are_averaged():
    _, _, [(width, _)] = heat_map(5000)
    assert width < 1500


def test_large_figures_are_embedded_as_pixels():
    figure = new_figure(3.0)
    figure.subplots().scatter(*np.random.default_rng(0).random((2, 12_000)))
    assert embed({"a": figure}, {"a": render(figure)})["a"].source.startswith("data:image/png;base64,")
