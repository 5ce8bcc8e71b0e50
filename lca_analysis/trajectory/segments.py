"""Segments: files of frames that begin with a keyframe, so that each decodes alone."""

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.frames import DELTA, END, KEY, FrameEntry, find_frame, read_frame, read_header
from lca_analysis.trajectory.manifest import Manifest

SEGMENT_MAGIC = b"LCASEG\x00\x01"
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
    for number, file in enumerate(files):
        try:
            found = scan_segment(fs, file, manifest)
            _check_place(file, number, found, segments)
            if number + 1 < len(files):
                _check_full(file, found, manifest)
        except CorruptError as error:
            problems.append(error)
        else:
            segments += [] if found is None else [found]
    return segments, problems


def _check_place(file: str, number: int, segment: Segment | None, before: list[Segment]) -> None:
    """Raise unless a segment is the one that its number says and comes after those before it."""
    if not file.endswith("/" + segment_name(number)):
        raise CorruptError(f"{file}: {segment_name(number)} should come here and is missing; restore it from a copy")
    if segment and before and segment.iterations[0] <= before[-1].iterations[-1]:
        raise CorruptError(
            f"{file}: begins at iteration {segment.iterations[0]}, but {before[-1].file} ends at "
            f"{before[-1].iterations[-1]}"
        )


def _check_full(file: str, segment: Segment | None, manifest: Manifest) -> None:
    """Raise when a segment that others follow has lost points."""
    length, points = manifest.recording.segment_length, 0 if segment is None else len(segment.frames)
    if points != length:
        place = "" if segment is None else f", the last at iteration {segment.iterations[-1]}"
        raise CorruptError(f"{file}: holds {points} of its {length} points{place}, but is not the last segment")


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
        frames, iterations, ended, position = _scan(file, size, path, manifest)
    if not frames:
        return None
    return Segment(
        path, np.array(iterations, np.int64), tuple(frames), size, ended, torn=size - position
    )  # fmt: skip


def _begins_well(file: BinaryIO, size: int, path: str) -> bool:
    """Whether the file's magic is whole; CorruptError when it is another."""
    magic = file.read(len(SEGMENT_MAGIC))
    if magic != SEGMENT_MAGIC[: len(magic)]:
        raise CorruptError(f"{path}: does not begin as a segment of a run")
    return size > len(SEGMENT_MAGIC)


def _scan(file: BinaryIO, size: int, path: str, manifest: Manifest) -> tuple[list[FrameEntry], list[int], bool, int]:
    """Walk the frames; gives those of points, their iterations, whether an end mark came, and where it stopped."""
    frames: list[FrameEntry] = []
    iterations: list[int] = []
    ended, position = False, len(SEGMENT_MAGIC)
    while position < size and not ended:
        try:
            entry = find_frame(file, position, size)
            if entry is None:
                break
            header = read_header(file, entry)
            if header.kind == END:
                read_frame(file, entry)
            else:
                _check_order(header.kind, header.iteration, iterations)
                _check_layout(header.layout, manifest)
        except CorruptError as error:
            raise CorruptError(f"{path}: {_after(iterations)}: {error}") from error
        position, ended = entry.end, header.kind == END
        if not ended:
            frames.append(entry)
            iterations.append(header.iteration)
    return frames, iterations, ended, position


def _check_order(kind: str, iteration: int, before: list[int]) -> None:
    """Raise unless a keyframe comes first, only deltas follow, and iterations ascend."""
    if (kind == KEY) != (not before) or kind not in (KEY, DELTA):
        raise CorruptError("a segment must be one keyframe and then deltas")
    if not 0 <= iteration < 2**62 or (before and iteration <= before[-1]):
        raise CorruptError(f"iteration {iteration} is out of order")


def _check_layout(layout: int | None, manifest: Manifest) -> None:
    """Raise when a keyframe was written for another manifest."""
    if layout is not None and layout != manifest.layout_checksum:
        raise CorruptError("the segment belongs to another run, or run.json was changed")


def _after(iterations: list[int]) -> str:
    """Say where in a segment something is."""
    return f"after iteration {iterations[-1]}" if iterations else "at its keyframe"
