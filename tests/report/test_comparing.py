"""The page of configurations: its bars and rows are the tables' means over seeds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_stores import LAYERS, write_run

from lca_analysis.analysis import compare
from lca_analysis.errors import NotFoundError
from lca_analysis.report.comparing import figure_configurations, net_by_configuration, write_comparison
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
    figure = figure_configurations(frame)
    assert [ax._left_title.get_text() for ax in figure.axes] == ["plain (4 runs)", "slowed (4 runs)"]
    for ax, values in zip(figure.axes, NET.values(), strict=True):
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches], values.mean(axis=0))
        half = stats.t.ppf(0.975, 3) * stats.sem(values, axis=0)
        lines = [line for line in ax.get_lines() if line.get_marker() == "None" and len(set(line.get_ydata())) == 1]
        np.testing.assert_allclose(
            [line.get_xdata() for line in lines], np.column_stack([values.mean(0) - half, values.mean(0) + half])
        )
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


def test_the_page_names_configurations_and_its_files_are_there(store, tmp_path):
    page = write_comparison(store, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "slowed less plain, train" in text
    assert "−2.05" in text  # the mean of plain's first layer
    for name in ("results_seeds", "results_comparison"):
        assert f'href="comparison/{name}.csv"' in text
        exact = pd.read_parquet(tmp_path / "comparison" / f"{name}.parquet")
        assert len(exact) == len(store.table(name)) > 0
    assert write_comparison(store, tmp_path / "again").read_bytes() == page.read_bytes()


def test_nothing_compared_is_said(tmp_path):
    with pytest.raises(NotFoundError, match="lca compare"):
        write_comparison(open_store(tmp_path, create=True), tmp_path / "out")
