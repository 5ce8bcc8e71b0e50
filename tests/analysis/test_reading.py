"""From the store's tables to arrays."""

from pathlib import Path

import numpy as np
import pytest
from synthetic_store import synthetic_store

from lca_analysis.analysis.layer_series import read_layer_series
from lca_analysis.analysis.panel import longest_stretch, read_panel


@pytest.mark.parametrize(
    ("iterations", "finite", "stretch", "spacing"),
    [
        ([0, 1, 2, 3], [1, 1, 1, 1], (0, 4), 1),
        ([0, 1, 2, 3, 4], [1, 0, 1, 1, 0], (2, 4), 1),
        ([0, 5, 10, 15, 17], [1, 1, 1, 1, 1], (0, 4), 5),
        ([0, 1, 2, 10, 11, 12, 13], [1] * 7, (3, 7), 1),
        ([0, 1, 2, 10, 11, 12, 13], [1, 1, 1, 1, 0, 1, 1], (0, 3), 1),
        ([7], [1], (0, 1), 1),
        ([0, 1], [0, 0], (0, 0), 1),
    ],
)
def test_longest_stretch(iterations: list[int], finite: list[int], stretch: tuple[int, int], spacing: int) -> None:
    found = longest_stretch(np.array(iterations), np.array(finite, bool))
    assert found == (slice(*stretch), spacing)


def test_a_layer_without_rows_in_an_iteration_is_nan_there(tmp_path: Path) -> None:
    store = synthetic_store(tmp_path, iterations=30, layers=2, splits=("train",))
    frame = store.table("layers", run="synthetic", split="train").drop(columns=["run", "split"])
    frame = frame[(frame["iteration"] != 4) | (frame["layer"] != "fc2")]
    store.write_part("layers", frame, "synthetic", "train", store.parts("layers", "synthetic", "train")[0])
    found = read_layer_series(store, "synthetic", "train")
    assert np.argwhere(np.isnan(found.lca)).tolist() == [[4, 1]]
    assert np.argwhere(np.isnan(found.n_helping)).tolist() == [[4, 1]]


def test_panel_holds_the_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = synthetic_store(tmp_path, iterations=130, layers=2, splits=("train",))
    iterations = read_layer_series(store, "synthetic", "train").iterations
    whole = read_panel(store, "synthetic", "train", iterations)
    monkeypatch.setattr("lca_analysis.analysis.panel._ROWS_AT_ONCE", 3000)
    parts = read_panel(store, "synthetic", "train", iterations)
    assert whole is not None
    assert parts is not None
    np.testing.assert_array_equal(whole.step, parts.step)
    series = store.table("series", run="synthetic", split="train", tensor="fc2.weight", index=3)
    place = np.flatnonzero(whole.layer == "fc2")
    columns = whole.step[:, place]
    assert (columns == series["step"].to_numpy()[:, None]).all(0).sum() == 1
