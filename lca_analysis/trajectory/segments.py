"""Segments: files of frames that begin with a keyframe, so that each decodes alone."""

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.frames import DELTA, END, KEY, FrameEntry, find_frame, read_frame, read_header
from lca_analysis.trajectory.manifest import Manifest

SEGMENT_MAGIC = b"LCASEG\x00\x02"
SEGMENT_FOLDER = "segments"


def segment_name(number: int) -> str:
    """Name of the file of the n-th segment."""
    return f"{number:06d}.lcaseg"


@dataclass(frozen=True)
class Segment:
    """What is committed in one segment file.

    Attributes
    ----------
    file : str
        Its path or URL.
    iterations : ndarray[n] int64
        Iterations of its points, ascending.
    previous : int or None
        Iteration of the point before its first, as the keyframe states it; None at the beginning of the run.
    frames : tuple of FrameEntry
        Where each point's frame lies.
    bytes : int
        Size of the file.
    ended : bool
        Whether the recorder closed it with an end mark.
    torn : int
        Bytes at the end that were not committed.
    """

    file: str
    iterations: NDArray[np.int64]
    previous: int | None
    frames: tuple[FrameEntry, ...]
    bytes: int
    ended: bool
    torn: int


def scan_run(fs: Any, folder: str, manifest: Manifest) -> tuple[list[Segment], list[CorruptError]]:
    """List the committed segments of a run in order, and what is wrong with its files.

    A segment that is damaged or missing is one problem; those around it are listed.
    """
    names = fs.ls(folder, detail=False) if fs.exists(folder) else []
    files = sorted(name for name in names if name.endswith(".lcaseg"))
    segments: list[Segment] = []
    problems: list[CorruptError] = []
    whole = True  # nothing is known to be wrong with the file before
    for number, file in enumerate(files):
        try:
            found = scan_segment(fs, file, manifest)
            _check_name(file, number)
            if found is not None:
                _check_place(found, segments, whole)
        except CorruptError as error:
            problems.append(error)
            whole = False
        else:
            segments += [] if found is None else [found]
            whole = whole or found is not None
    return segments, problems


def _check_name(file: str, number: int) -> None:
    """Raise unless a file is the one that its number in the list says."""
    if not file.endswith("/" + segment_name(number)):
        raise CorruptError(f"{file}: {segment_name(number)} should come here and is missing; restore it from a copy")


def _check_place(segment: Segment, before: list[Segment], whole: bool) -> None:
    """Raise unless a segment goes on where those before it end; behind a damaged file it need only come later."""
    last = int(before[-1].iterations[-1]) if before else None
    if last is not None and segment.iterations[0] <= last:
        raise CorruptError(
            f"{segment.file}: begins at iteration {segment.iterations[0]}, but {before[-1].file} ends at {last}"
        )
    if whole and segment.previous != last:
        raise CorruptError(
            f"{segment.file}: begins at iteration {segment.iterations[0]}, right after {_point(segment.previous)}, but "
            f"what is before it ends at {_point(last)}: points between are missing"
        )
    if whole and before and before[-1].ended:
        raise CorruptError(f"{before[-1].file}: has an end mark at iteration {last}, but is not the last segment")


def _point(iteration: int | None) -> str:
    """Name a point, or the beginning of the run."""
    return "the beginning of the run" if iteration is None else f"iteration {iteration}"


def scan_segment(fs: Any, path: str, manifest: Manifest) -> Segment | None:
    """List the committed frames of a segment; None when not even its first is.

    Only prefixes and headers are read; a damaged payload is told when it is read, and leaves the other points.

    Raises
    ------
    CorruptError
        Something that was committed is damaged; names the file and the iteration before it.
    """
    size = int(fs.size(path))
    with fs.open(path, "rb") as file:
        if not _begins_well(file, size, path):
            return None
        frames, iterations, previous, ended, position = _scan(file, size, path, manifest)
    if not frames:
        return None
    return Segment(path, np.array(iterations, np.int64), previous, tuple(frames), size, ended, torn=size - position)


def _begins_well(file: BinaryIO, size: int, path: str) -> bool:
    """Whether the file's magic is whole; CorruptError when it is another."""
    magic = file.read(len(SEGMENT_MAGIC))
    if magic != SEGMENT_MAGIC[: len(magic)]:
        raise CorruptError(f"{path}: does not begin as a segment of a run")
    return size > len(SEGMENT_MAGIC)


def _scan(
    file: BinaryIO, size: int, path: str, manifest: Manifest
) -> tuple[list[FrameEntry], list[int], int | None, bool, int]:
    """Walk the frames; gives those of points, their iterations, the point before, whether it ended, and where."""
    frames: list[FrameEntry] = []
    iterations: list[int] = []
    previous, ended, position = None, False, len(SEGMENT_MAGIC)
    while position < size and not ended:
        try:
            entry = find_frame(file, position, size)
            if entry is None:
                break
            header = read_header(file, entry)
            if header.kind == END:
                read_frame(file, entry)
                _check_end(header.iteration, iterations)
            else:
                _check_order(header.kind, header.iteration, iterations)
                _check_layout(header.layout, manifest)
        except CorruptError as error:
            raise CorruptError(f"{path}: {_after(iterations)}: {error}") from error
        position, ended = entry.end, header.kind == END
        if not ended:
            previous = header.previous if header.kind == KEY else previous
            frames.append(entry)
            iterations.append(header.iteration)
    return frames, iterations, previous, ended, position


def _check_order(kind: str, iteration: int, before: list[int]) -> None:
    """Raise unless a keyframe comes first, only deltas follow, and iterations ascend."""
    if (kind == KEY) != (not before) or kind not in (KEY, DELTA):
        raise CorruptError("a segment must be one keyframe and then deltas")
    if not 0 <= iteration < 2**62 or (before and iteration <= before[-1]):
        raise CorruptError(f"iteration {iteration} is out of order")


def _check_end(iteration: int, before: list[int]) -> None:
    """Raise unless an end mark stands behind the point that it names."""
    if not before or iteration != before[-1]:
        raise CorruptError(f"the end mark of iteration {iteration} is not behind that point")


def _check_layout(layout: int | None, manifest: Manifest) -> None:
    """Raise when a keyframe was written for another manifest."""
    if layout is not None and layout != manifest.layout_checksum:
        raise CorruptError("the segment belongs to another run, or run.json was changed")


def _after(iterations: list[int]) -> str:
    """Say where in a segment something is."""
    return f"after iteration {iterations[-1]}" if iterations else "at its keyframe"
