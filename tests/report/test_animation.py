"""Animations: their bars add up to what the tables say, and what cannot be done is said."""

import itertools
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageSequence
from synthetic_store import synthetic_store

from lca_analysis.cli.entry import main
from lca_analysis.errors import ArgumentError, MissingDependencyError, NotFoundError
from lca_analysis.report.animation import _move, _open, _still, animate, make_scene
from lca_analysis.report.figures.style import HELPING, HURTING
from lca_analysis.report.sources import Sources


@pytest.fixture
def sources(analyzed):
    return Sources(analyzed, "synthetic")


def test_spans_of_layers_add_up_to_the_tables(analyzed, sources):
    scene = make_scene(sources, None, 7)
    rows = analyzed.table("layers", run="synthetic", split="train", class_=-1)
    assert scene.names == ["fc1", "fc2", "fc3"]
    assert scene.spans.shape == (7, 3)
    np.testing.assert_allclose(scene.spans.sum(axis=0), rows.groupby("layer")["lca"].sum(), rtol=1e-6)
    first = rows[(rows["layer"] == "fc1") & (rows["iteration"] < scene.ends[0])]
    assert scene.spans[0, 0] == pytest.approx(first["lca"].sum())


def test_spans_of_units_add_up_to_their_layer(analyzed, sources):
    scene = make_scene(sources, "fc2", 5)
    rows = analyzed.table("layers", run="synthetic", split="train", class_=-1, layer="fc2")
    assert scene.spans.sum() == pytest.approx(rows["lca"].sum(), rel=1e-5)


def test_a_frame_shows_its_iteration_and_colours_by_sign(sources):
    scene = make_scene(sources, None, 4)
    figure, axes = _open(scene)
    moving = _still(scene, *axes)
    _move(scene, moving, 3)
    assert list(moving.cursor.get_xdata()) == [scene.ends[3]] * 2
    np.testing.assert_allclose([bar.get_width() for bar in moving.total], scene.spans.sum(axis=0))
    np.testing.assert_allclose([bar.get_width() for bar in moving.now], scene.spans[3])
    from matplotlib.colors import to_hex

    colors = [to_hex(bar.get_facecolor()).upper() for bar in moving.total]
    assert colors == [HELPING if value < 0 else HURTING for value in scene.spans.sum(axis=0)]
    assert len(figure.axes) == 3


def test_long_names_stay_in_the_picture_and_rows_are_called_what_they_are(tmp_path):
    store = synthetic_store(tmp_path / "store", run="long" * 50, iterations=20, splits=("train",))
    for layer, axis in ((None, "layer, input to output"), ("fc2", "unit (neuron or channel)")):
        scene = make_scene(Sources(store, "long" * 50), layer, 2)
        figure, axes = _open(scene)
        moving = _still(scene, *axes)
        _move(scene, moving, 1)
        figure.draw_without_rendering()
        assert moving.text.get_window_extent().x1 <= figure.bbox.width
        assert axes[1].get_ylabel() == axis


def test_the_gif_has_the_frames_that_were_asked_for_and_repeats(analyzed, tmp_path):
    files = [animate(analyzed, tmp_path / name, frames=3, fps=5) for name in ("a.gif", "b.gif")]
    assert files[0].read_bytes() == files[1].read_bytes()
    with Image.open(files[0]) as picture:
        frames = [frame.convert("RGB").tobytes() for frame in ImageSequence.Iterator(picture)]
        assert picture.info["duration"] == 200
    assert len(set(frames)) == 3


def test_the_mp4_has_the_frames_that_were_asked_for(analyzed, tmp_path):
    file = animate(analyzed, tmp_path / "a.mp4", frames=6, fps=3)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(file), "-vf", "scale=64:32", "-pix_fmt", "rgb24"]
    decoded = subprocess.run([*command, "-f", "rawvideo", "-"], capture_output=True, check=True)
    frames = np.frombuffer(decoded.stdout, np.uint8).reshape(6, 32, 64, 3).astype(int)
    assert "Duration: 00:00:02.00" in decoded.stderr.decode()
    assert all(np.abs(a - b).max() > 10 for a, b in itertools.pairwise(frames)), "the picture moves"


def test_what_cannot_be_done_is_said(analyzed, tmp_path, monkeypatch):
    with pytest.raises(ArgumentError, match=r"\.gif or \.mp4"):
        animate(analyzed, tmp_path / "a.png")
    with pytest.raises(ArgumentError, match="at least 1"):
        animate(analyzed, tmp_path / "a.gif", frames=0)
    with pytest.raises(NotFoundError, match="no run 'other'"):
        animate(analyzed, tmp_path / "a.gif", run="other")
    with pytest.raises(NotFoundError, match="no layer 'fc9'; it has: fc1, fc2, fc3"):
        animate(analyzed, tmp_path / "a.gif", layer="fc9")
    monkeypatch.setattr("lca_analysis.report.animation.shutil.which", lambda name: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingDependencyError, match="ffmpeg"):
        animate(analyzed, tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_the_file(analyzed, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["animate", str(analyzed.path), "--out", str(tmp_path / "fc1.gif"), "--layer", "fc1", "--frames", "2"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"{tmp_path / 'fc1.gif'}\n"
    assert (tmp_path / "fc1.gif").stat().st_size > 1000
