"""Opening a run and reading its weights at any recorded iteration."""

import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import fsspec
import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import ArgumentError, CorruptError, FormatError, MissingDependencyError, NotFoundError
from lca_analysis.trajectory.decoding import Point, SegmentDecoder
from lca_analysis.trajectory.frames import FrameHeader
from lca_analysis.trajectory.manifest import MANIFEST_NAME, Manifest, TensorInfo, decode_manifest
from lca_analysis.trajectory.segments import SEGMENT_FOLDER, Segment, scan_run
from lca_analysis.trajectory.words import to_numbers


@dataclass(frozen=True)
class Step:
    """The move from one recorded point to the next.

    Attributes
    ----------
    iteration, iteration_next : int
        The two points.
    steps : dict of str to ndarray
        Δ = θ(next) − θ of every tensor asked for, in its dtype (bfloat16 as float32).
    """

    iteration: int
    iteration_next: int
    steps: dict[str, NDArray[Any]]


def open_run(path: str | os.PathLike[str]) -> "Run":
    """Open a run folder for reading.

    Parameters
    ----------
    path : str or path-like
        The folder, or an fsspec URL of it: of a web server that lists its folders and gives ranges of files, of an
        object store. Only the segments that are asked for are fetched, in blocks.

    Returns
    -------
    Run
        The run, up to its last committed point.

    Raises
    ------
    NotFoundError
        The folder, or run.json in it, is not there.
    FormatError
        It is not a run, or one of a newer format.
    CorruptError
        Something that was committed is damaged; the message names file and iteration.
    ArgumentError, MissingDependencyError
        fsspec does not know this kind of URL, or the package that it needs for it is not installed.

    Notes
    -----
    A run may come from a stranger: nothing in it is executed. Opening takes memory in proportion to the files and to
    the tensor table. Each block of 2^18 words is allocated when its stream, of some 30 bytes at least, is decoded, so
    what a false table claims is refused before it is allocated.
    """
    shown, fs, root, manifest = open_manifest(path)
    segments, problems = scan_run(fs, f"{root}/{SEGMENT_FOLDER}", manifest)
    if problems:
        raise problems[0]
    return Run(shown, fs, root, manifest, segments)


def open_manifest(path: str | os.PathLike[str]) -> tuple[str, Any, str, Manifest]:
    """Find a run and read its manifest; gives path, file system, root in it, and manifest."""
    shown = os.fspath(path)
    if not shown:
        raise ArgumentError("the path of the run is empty; name a run folder")
    fs, root = _find(shown)
    if not fs.exists(root):
        raise NotFoundError(f"{shown} does not exist; name a run folder")
    if not fs.isdir(root):
        raise FormatError(f"{shown} is a file; a run is a folder with {MANIFEST_NAME} in it")
    manifest_path = f"{root}/{MANIFEST_NAME}"
    if not fs.exists(manifest_path):
        raise NotFoundError(f"{shown} has no {MANIFEST_NAME}: it is not a run folder")
    manifest = decode_manifest(fs.cat_file(manifest_path), f"{shown}/{MANIFEST_NAME}")
    return shown, fs, root, manifest


def _find(shown: str) -> tuple[Any, str]:
    """Find the file system of a path or URL, and the place in it."""
    try:
        return fsspec.core.url_to_fs(shown)
    except ImportError as error:
        raise MissingDependencyError(f"{shown}: {error}") from error
    except ValueError as error:
        raise ArgumentError(f"{shown}: {error}; name a folder, or a URL that fsspec knows") from error


class Run:
    """A recorded run; open one with `open_run`.

    Attributes
    ----------
    path : str
        As it was opened.
    manifest : Manifest
        The content of run.json.
    segments : list of Segment
        The committed segments, in order.
    iterations : ndarray[T + 1] int64
        Training iterations of the recorded points t₀ < … < t_T.
    complete : bool
        Whether the recorder closed the run; False after a killed or failed training.
    """

    def __init__(self, path: str, fs: Any, root: str, manifest: Manifest, segments: list[Segment]) -> None:
        self.path = path
        self.manifest = manifest
        self.segments = segments
        self.complete = bool(segments) and segments[-1].ended
        self.iterations = np.concatenate([np.empty(0, np.int64), *(segment.iterations for segment in segments)])
        self._fs = fs
        self._root = root

    def __repr__(self) -> str:
        """Show where it is and how far it got."""
        return f"Run({self.path!r}, {max(0, len(self.iterations) - 1)} steps, {len(self.parameters)} parameters)"

    @property
    def name(self) -> str:
        """Name of the run: the manifest's, by default that of its folder."""
        return self.manifest.name or PurePosixPath(self.path.rstrip("/")).name

    @property
    def cut_off(self) -> str | None:
        """What is missing at the end of a run that was closed, as a sentence; None where nothing is."""
        closed, last = self.manifest.closed_at, int(self.iterations[-1]) if len(self.iterations) else None
        if closed is None or (self.complete and closed == last):
            return None
        if last is not None and last > closed:
            return f"run.json says that the run was closed at iteration {closed}, but its segments end at {last}"
        end = "there are no segments" if last is None else f"its segments end at {last}"
        return (
            f"this run was closed at iteration {closed}, but {end}: its end was cut off afterwards, as by a copy that "
            "was broken off; restore it from the original"
        )

    @property
    def tensors(self) -> list[TensorInfo]:
        """Every recorded tensor, parameters first."""
        return self.manifest.tensors

    @property
    def parameters(self) -> list[TensorInfo]:
        """The recorded parameters, in the model's order."""
        return [tensor for tensor in self.manifest.tensors if tensor.role == "parameter"]

    def weights(self, iteration: int, tensors: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Read the tensors at one recorded iteration.

        Parameters
        ----------
        iteration : int
            One of `iterations`.
        tensors : sequence of str, optional
            Names of tensors; None reads all.

        Returns
        -------
        dict of str to ndarray
            Bit for bit what training held. bfloat16 comes as uint16 words, see `bfloat16_to_float32`.

        Raises
        ------
        NotFoundError
            The iteration was not recorded, or there is no such tensor.
        CorruptError
            A frame on the way is damaged.
        """
        self.check_recorded(iteration)
        for point in self.walk(iteration, iteration, tensors):
            return point.weights
        raise CorruptError(f"{self.path}: iteration {iteration} is listed and cannot be read")

    def walk(
        self,
        first: int | None = None,
        last: int | None = None,
        tensors: Sequence[str] | None = None,
        copy: bool = True,
    ) -> Iterator[Point]:
        """Go through recorded points in order, in bounded memory.

        Each segment is decoded once; a start inside a segment decodes that segment from its keyframe. Memory: at most
        6 floats for each element of the tensors asked for and of those that share a block (2^18 words) with them, the
        point that is given and the one before it included, the compressed frame, and 8 MiB; one float more in `steps`.
        It does not grow with the number of points. An open run itself takes some 350 bytes a point.

        Parameters
        ----------
        first, last : int, optional
            Recorded iterations, both included; None means the run's own.
        tensors : sequence of str, optional
            Names of tensors; None reads all.
        copy : bool
            Give copies. Without, the arrays are the decoder's own: they must not be changed, and the next but one point
            overwrites them. That takes 2 floats less; tensors of one dtype lie one behind the other then.

        Yields
        ------
        Point
            Weights, hyper-parameters and scalars.

        Raises
        ------
        NotFoundError
            An end was not recorded, or there is no such tensor.
        CorruptError
            A frame on the way is damaged.
        """
        names = self._names(tensors)
        for end in (first, last):
            if end is not None:
                self.check_recorded(end)
        return self._walk(first, last, names, copy)

    def steps(
        self, first: int | None = None, last: int | None = None, tensors: Sequence[str] | None = None
    ) -> Iterator[Step]:
        """Go through the steps between recorded points.

        Parameters
        ----------
        first, last : int, optional
            Recorded iterations: where the first step starts and the last one ends.
        tensors : sequence of str, optional
            Names of tensors; None takes all.

        Yields
        ------
        Step
            Δ of each tensor.
        """
        before: Point | None = None
        for point in self.walk(first, last, tensors):
            if before is not None:
                moved = {name: self._difference(name, before, point) for name in point.weights}
                yield Step(before.iteration, point.iteration, moved)
            before = point

    def hyperparameters(self) -> list[tuple[int, list[dict[str, Any]]]]:
        """List the optimizer's hyper-parameters where they changed.

        Returns
        -------
        list of (int, list of dict)
            Iteration of the point, and the groups as used by the step that arrived there.
        """
        changes: list[tuple[int, list[dict[str, Any]]]] = []
        for header in self._all_headers():
            groups = header.hyperparameters
            if groups is not None and (not changes or groups != changes[-1][1]):
                changes.append((header.iteration, groups))
        return changes

    def scalars(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Read what the training loop logged.

        Returns
        -------
        dict of str to (ndarray[n] int64, ndarray[n] float64)
            Name to the iterations of the points it was logged with, and its values.
        """
        found: dict[str, list[tuple[int, float]]] = {}
        for header in self._all_headers():
            for name, value in header.scalars.items():
                found.setdefault(name, []).append((header.iteration, value))
        return {
            name: (np.array([t for t, _ in rows], np.int64), np.array([v for _, v in rows], np.float64))
            for name, rows in found.items()
        }

    def folder_bytes(self) -> int:
        """Bytes of run.json and all segments."""
        return int(self._fs.size(f"{self._root}/{MANIFEST_NAME}")) + sum(segment.bytes for segment in self.segments)

    def headers(self, segment: Segment) -> Iterator[FrameHeader]:
        """Read the headers of a segment's points, and no weights."""
        return SegmentDecoder(self.manifest, []).headers(self._fs, segment)

    def _all_headers(self) -> Iterator[FrameHeader]:
        """Read the headers of all points."""
        for segment in self.segments:
            yield from self.headers(segment)

    def _walk(self, first: int | None, last: int | None, names: list[str], copy: bool) -> Iterator[Point]:
        """Go through checked ends and names."""
        decoder = SegmentDecoder(self.manifest, names)
        for segment in self.segments:
            if first is not None and segment.iterations[-1] < first:
                continue
            if last is not None and segment.iterations[0] > last:
                return
            yield from decoder.points(self._fs, segment, first, last, copy)

    def _names(self, tensors: Sequence[str] | None) -> list[str]:
        """Check names of tensors; None means all."""
        known = [tensor.name for tensor in self.tensors]
        for name in tensors or []:
            if name not in known:
                close = difflib.get_close_matches(name, known) or known[:5]
                raise NotFoundError(f"{self.path} has no tensor {name!r}; did you mean: {', '.join(close)}?")
        return known if tensors is None else list(tensors)

    def check_recorded(self, iteration: int) -> None:
        """Raise when an iteration is not one of the recorded points."""
        if not len(self.iterations):
            raise NotFoundError(f"{self.path} holds no recorded point yet")
        if iteration not in self.iterations:
            raise NotFoundError(
                f"{self.path} has no point at iteration {iteration}; it holds {len(self.iterations)} points "
                f"from {self.iterations[0]} to {self.iterations[-1]}, every {self.manifest.recording.every}"
            )

    def _difference(self, name: str, before: Point, after: Point) -> NDArray[Any]:
        """Subtract two points of one tensor, into the memory of the first."""
        dtype = next(tensor.dtype for tensor in self.tensors if tensor.name == name)
        old, new = (to_numbers(point.weights[name], dtype) for point in (before, after))
        # In place: the point before has had its day, and nobody else has it.
        return (np.bitwise_xor if new.dtype == bool else np.subtract)(new, old, out=old)
