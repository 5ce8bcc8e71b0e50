"""The page of configurations: its bars and rows are the tables' means over seeds."""

import numpy as np
import pandas as pd
import pytest
from report import made_up
from report.layout import cut_off
from scipy import stats
from small_stores import LAYERS, write_run

from lca_analysis.analysis import compare
from lca_analysis.analysis.groups import read_groups
from lca_analysis.errors import NotFoundError
from lca_analysis.report import comparing
from lca_analysis.report.comparing import figure_configurations, net_by_configuration, write_comparison
from lca_analysis.report.figures.names import short_names
from lca_analysis.report.saving import render
from lca_analysis.report.seeds import net_by_run
from lca_analysis.store import open_store

NET = {
    "plain": np.array([[-2.0, 0.3], [-2.1, 0.4], [-1.9, 0.2], [-2.2, 0.35]]),
    "slowed": np.array([[-2.0, 0.15], [-2.1, 0.2], [-1.9, 0.1], [-2.2, 0.2]]),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("seeds")
    for day, (group, rows) in enumerate(NET.items(), 1):
        for seed, net in enumerate(rows):
            values = dict(zip(LAYERS, net, strict=True))
            opened = write_run(path, f"{group}-{seed}", values, seed=seed, group=group, created=f"2024-01-0{day}")
    compare(opened)
    return opened


def test_each_configuration_has_its_panel_of_means_and_intervals(store):
    frame = net_by_configuration(store.table("results_seeds"))
    figure = figure_configurations(frame, net_by_run(read_groups(store, "train")))
    assert [ax._left_title.get_text() for ax in figure.axes] == ["plain (4 runs)", "slowed (4 runs)"]
    for ax, values in zip(figure.axes, NET.values(), strict=True):
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches], values.mean(axis=0))
        half = stats.t.ppf(0.975, 3) * stats.sem(values, axis=0)
        lines = [line for line in ax.get_lines() if line.get_marker() == "None" and len(set(line.get_ydata())) == 1]
        np.testing.assert_allclose(
            [line.get_xdata() for line in lines], np.column_stack([values.mean(0) - half, values.mean(0) + half])
        )
        [dots] = [line for line in ax.get_lines() if line.get_marker() == "o"]
        np.testing.assert_allclose(sorted(dots.get_xdata()), np.sort(values, axis=None))
        np.testing.assert_array_equal(np.round(dots.get_ydata()), np.tile(range(len(LAYERS)), len(values)))
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


@pytest.mark.parametrize("layers", [3, 21])
def test_many_configurations_stay_in_the_figure_with_layers_from_the_input_on(tmp_path, layers):
    names = made_up.layer_names(layers)[::-1]  # not in the order of their names
    for group in ("plain", "slowed", "frozen", "a configuration whose name is long", "five"):
        for seed in range(3):
            net = {name: -1.0 + 0.1 * seed for name in names}
            store = write_run(tmp_path / "store", f"{group} {seed}", net, seed=seed, group=group)
    compare(store)
    with pytest.MonkeyPatch.context() as patch:
        drawn = []
        patch.setattr(comparing, "render", lambda figure: drawn.append(figure) or render(figure))
        write_comparison(store, tmp_path)
    [figure] = drawn
    assert cut_off(figure) == []
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert len(shown) == 5
    for ax in shown:
        assert [label.get_text() for label in ax.get_yticklabels()] == short_names(names)


def test_the_page_names_configurations_and_its_files_are_there(store, tmp_path):
    page = write_comparison(store, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "slowed less plain, train" in text
    assert "−2.05" in text  # the mean of plain's first layer
    assert text.count('<th scope="row">plain-') == text.count('<th scope="row">slowed-') == 4
    runs = pd.read_parquet(tmp_path / "comparison" / "runs.parquet").set_index("run")
    assert list(runs.loc[["plain-0", "slowed-3"], "net_lca"]) == pytest.approx([-1.7, -2.0])
    for name in ("results_seeds", "results_comparison"):
        assert f'href="comparison/{name}.csv"' in text
        exact = pd.read_parquet(tmp_path / "comparison" / f"{name}.parquet")
        assert len(exact) == len(store.table(name)) > 0
    assert write_comparison(store, tmp_path / "again").read_bytes() == page.read_bytes()


def test_nothing_compared_is_said(tmp_path):
    with pytest.raises(NotFoundError, match="lca compare"):
        write_comparison(open_store(tmp_path, create=True), tmp_path / "out")


def test_a_run_that_is_left_out_is_named_with_the_reason(tmp_path):
    for run, seed in (("a", 0), ("b", 1), ("again", 1)):
        store = write_run(tmp_path / "store", run, {"first": -1.0, "last": 0.1 + seed}, seed=seed)
    compare(store)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "index.html").touch()
    text = write_comparison(store, tmp_path).read_text(encoding="utf-8")
    assert "it has the same seed as again" in text or "it has the same seed as b" in text
    assert text.count('<a href="b/index.html">b</a>') == 1
