"""Training as a moving picture: who helps and who hurts, span of iterations by span."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.animation import AbstractMovieWriter, FFMpegWriter, PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from lca_analysis.errors import ArgumentError, MissingDependencyError, NotFoundError
from lca_analysis.report.figures.axes import SIGNS, label_iterations, label_rows, row_height
from lca_analysis.report.figures.names import plain, short_name
from lca_analysis.report.figures.style import FAINT, INK, WIDTH, sign_color, styled
from lca_analysis.report.sources import Sources
from lca_analysis.store import Store, open_store

MOST_ROWS = 40
DPI = 90
SUFFIXES = (".gif", ".mp4")
EVEN_SIZE = "pad=ceil(iw/2)*2:ceil(ih/2)*2"
"""H.264 takes even numbers of pixels only."""


@dataclass(frozen=True)
class Scene:
    """What moves.

    Attributes
    ----------
    names : list of str
        The rows: layers, or units of a layer.
    ends : ndarray[F]
        Iteration at which each frame ends.
    spans : ndarray[F, N]
        LCA of each row in each frame's span of iterations (loss units).
    points : DataFrame
        The loss: iteration, loss.
    title : str
        The run, and what the rows are.
    axis : str
        What one row is.
    """

    names: list[str]
    ends: np.ndarray
    spans: np.ndarray
    points: pd.DataFrame
    title: str
    axis: str


def animate(
    store: Store | str | os.PathLike[str],
    out: str | os.PathLike[str],
    run: str | None = None,
    layer: str | None = None,
    frames: int = 100,
    fps: int = 12,
) -> Path:
    """Write an animation of a network's layers, or of a layer's neurons or channels, over training.

    Parameters
    ----------
    store : Store or path
        The store.
    out : path
        File to write; its suffix, .gif or .mp4, says which kind.
    run : str, optional
        Name of the run; may be left out when the store has one.
    layer : str, optional
        The layer whose units are shown, at most `MOST_ROWS` of them, those that moved the loss most; None shows layers.
    frames : int
        Number of frames; each covers an equal span of iterations, at least one.
    fps : int
        Frames per second.

    Returns
    -------
    Path
        The file. The same tables give the same frames.

    Raises
    ------
    NotFoundError
        There is no such run or layer, or a table is missing.
    ArgumentError
        The suffix is neither, or a number is not positive.
    MissingDependencyError
        An MP4 is asked for and there is no ffmpeg.
    """
    file = Path(out)
    if frames < 1 or fps < 1:
        raise ArgumentError(f"frames and fps must be at least 1, not {frames} and {fps}")
    writer = _writer(file, fps)
    file.parent.mkdir(parents=True, exist_ok=True)
    sources = _sources(store if isinstance(store, Store) else open_store(store), run)
    scene = make_scene(sources, layer, frames)
    _film(scene, writer, file)
    return file


def _writer(file: Path, fps: int) -> AbstractMovieWriter:
    """Choose what writes the file."""
    if file.suffix.lower() not in SUFFIXES:
        raise ArgumentError(f"{file} must end in {' or '.join(SUFFIXES)}")
    if file.suffix.lower() == ".gif":
        return PillowWriter(fps=fps)
    _ffmpeg()
    return _Mp4Writer(fps=fps, codec="h264", extra_args=["-pix_fmt", "yuv420p", "-vf", EVEN_SIZE])


class _Mp4Writer(FFMpegWriter):
    """Matplotlib's writer, with the ffmpeg on the PATH or else that of the package imageio-ffmpeg."""

    @classmethod
    def bin_path(cls) -> str:
        """Give the program."""
        return _ffmpeg()


def _ffmpeg() -> str:
    """Find ffmpeg."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise MissingDependencyError(
            "an MP4 needs ffmpeg, which is not on the PATH; pip install 'lca-analysis[mp4]' brings one, or write a .gif"
        ) from error


def _sources(store: Store, run: str | None) -> Sources:
    """Find the run."""
    runs = store.runs()
    if not runs:
        raise NotFoundError(f"{store.path} has no runs; compute one with: lca compute")
    if run is None and len(runs) == 1:
        run = runs[0]
    if run not in runs:
        named = "more than one run" if run is None else f"no run {run!r}"
        raise NotFoundError(f"{store.path} has {named}; name one of: {', '.join(runs)}")
    return Sources(store, str(run))


def make_scene(sources: Sources, layer: str | None, frames: int) -> Scene:
    """Sum the LCA of layers or units over spans of iterations.

    Parameters
    ----------
    sources : Sources
        The run's tables.
    layer : str, optional
        The layer whose units are the rows; None: the layers.
    frames : int
        Largest number of spans.

    Returns
    -------
    Scene
        Its spans add up to the LCA of the whole run.

    Raises
    ------
    NotFoundError
        There is no such layer, or no table of units.
    """
    steps = sources.table("iterations")
    first = pd.DataFrame({"iteration": steps["iteration"].iloc[:1], "loss": steps["loss_before"].iloc[:1]})
    rest = steps[["iteration_next", "loss_after"]].set_axis(["iteration", "loss"], axis=1)
    wide = _layers(sources) if layer is None else _units(sources, layer)
    pieces = np.array_split(np.arange(len(steps)), min(frames, len(steps)))
    by_step = wide.reindex(steps["iteration"]).fillna(0.0).to_numpy()
    return Scene(
        names=list(wide.columns),
        ends=steps["iteration_next"].to_numpy()[[piece[-1] for piece in pieces]],
        spans=np.array([by_step[piece].sum(axis=0) for piece in pieces]),
        points=pd.concat([first, rest], ignore_index=True),
        title=f"{short_name(sources.run)}: {'layers' if layer is None else f'units of {short_name(layer)}'}",
        axis="layer, input to output" if layer is None else "unit (neuron or channel)",
    )


def _layers(sources: Sources) -> pd.DataFrame:
    """Lay the LCA of layers out as iterations × layers."""
    rows = sources.table("layers")
    wide = rows.pivot_table(index="iteration", columns="layer", values="lca", aggfunc="sum")
    return wide[[layer for layer in sources.layers if layer in wide]]


def _units(sources: Sources, layer: str) -> pd.DataFrame:
    """Lay the LCA of a layer's units out as iterations × units."""
    if layer not in sources.layers:
        raise NotFoundError(f"the run {sources.run!r} has no layer {layer!r}; it has: {', '.join(sources.layers)}")
    if not sources.has("units", sources.split):
        raise NotFoundError(f"the run {sources.run!r} has no table units for the {sources.split} split")
    rows = sources.store.table("units", run=sources.run, split=sources.split, layer=layer)
    wide = rows.pivot_table(index="iteration", columns="unit", values="lca", aggfunc="sum")
    most = wide.sum().abs().sort_values(ascending=False, kind="stable").index[:MOST_ROWS]
    return wide[sorted(most)].rename(columns=str)


@styled
def _film(scene: Scene, writer: AbstractMovieWriter, file: Path) -> None:
    """Draw and write the frames."""
    figure, axes = _open(scene)
    moving = _still(scene, *axes)
    with writer.saving(figure, str(file), DPI):
        for place in range(len(scene.ends)):
            _move(scene, moving, place)
            writer.grab_frame()


def _open(scene: Scene) -> tuple[Figure, list[Axes]]:
    """Open a figure for the loss, and beneath it the rows: so far, and now."""
    height = max(1.4, len(scene.names) * row_height(len(scene.names)))
    figure = Figure(figsize=(WIDTH, 2.55 + height), layout="constrained", dpi=DPI)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 1, height_ratios=[1.6, height + 0.95])
    below = grid[1].subgridspec(1, 2)
    return figure, [figure.add_subplot(grid[0]), figure.add_subplot(below[0]), figure.add_subplot(below[1])]


@dataclass(frozen=True)
class _Moving:
    """The artists that change from frame to frame."""

    cursor: Line2D
    total: BarContainer
    now: BarContainer
    text: Text


def _still(scene: Scene, loss: Axes, total: Axes, now: Axes) -> _Moving:
    """Draw what stays, and the artists that move."""
    loss.plot(scene.points["iteration"], scene.points["loss"], color=INK)
    label_iterations(loss, scene.points["iteration"].min(), scene.points["iteration"].max())
    loss.set_ylabel("loss")
    rows, zeros = np.arange(len(scene.names)), np.zeros(len(scene.names))
    for ax, values, title in (
        (total, np.cumsum(scene.spans, axis=0), "LCA so far"),
        (now, scene.spans, "LCA in this span"),
    ):
        reach = 1.05 * float(np.abs(values).max()) or 1.0
        ax.set_xlim(-reach, reach)
        ax.axvline(0, color=INK, linewidth=0.7)
        ax.grid(axis="x", color=FAINT)
        ax.locator_params(axis="x", nbins=5)
        ax.set_title(title)
        ax.set_xlabel(f"LCA (loss)\n{SIGNS}")
        label_rows(ax, scene.names, scene.axis)
    now.set_ylabel("")
    now.tick_params(axis="y", labelleft=False)
    cursor = loss.axvline(scene.points["iteration"].min(), color=INK, linewidth=0.8)
    return _Moving(cursor, total.barh(rows, zeros, 0.8), now.barh(rows, zeros, 0.8), loss.set_title(scene.title))


def _move(scene: Scene, moving: _Moving, place: int) -> None:
    """Bring the artists to a frame."""
    end = scene.ends[place]
    moving.cursor.set_xdata([end, end])
    moving.text.set_text(plain(f"{scene.title}, iteration {end}"))
    for bars, values in ((moving.total, scene.spans[: place + 1].sum(axis=0)), (moving.now, scene.spans[place])):
        for bar, value in zip(bars, values, strict=True):
            bar.set_width(value)
            bar.set_color(sign_color(value))
