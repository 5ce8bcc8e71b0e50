"""Checking every checksum and the whole chain of deltas of a run."""

import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lca_analysis.errors import CorruptError
from lca_analysis.progress import track
from lca_analysis.trajectory.decoding import SegmentDecoder
from lca_analysis.trajectory.frames import read_frame
from lca_analysis.trajectory.run import Run, open_manifest
from lca_analysis.trajectory.segments import SEGMENT_FOLDER, Segment, scan_run


@dataclass(frozen=True)
class VerificationReport:
    """What `verify` found.

    Attributes
    ----------
    path : str
        The run folder.
    segments, bytes : int
        Segments that could be read, and their size.
    points : int
        Points that decoded with all checksums right.
    problems : tuple of str
        What is damaged, with file and iteration; empty when nothing is.
    notes : tuple of str
        What is no damage but worth knowing: an unclean end, uncommitted bytes.
    """

    path: str
    segments: int
    bytes: int
    points: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged."""
        return not self.problems


def verify(path: str | os.PathLike[str], progress: bool | None = None) -> VerificationReport:
    """Read a run from end to end, checking every checksum and the chain of all deltas.

    Of each segment, the checksums of every prefix, header and frame; of each point, decoded from the keyframe on, the
    checksum of every block's decoded words, so that what is read is to the bit what was recorded; that every keyframe
    stands right behind the point before it, and belongs to this run.json; and the end mark.

    Parameters
    ----------
    path : str or path-like
        The run folder, or an fsspec URL of it.
    progress : bool, optional
        Show a progress bar; None shows it on a terminal only.

    Returns
    -------
    VerificationReport
        What is damaged, each segment on its own.

    Raises
    ------
    NotFoundError
        There is no run at this place.
    FormatError
        It is not a run, or one of a newer format.
    """
    shown, fs, root, manifest = open_manifest(path)
    segments, damage = scan_run(fs, f"{root}/{SEGMENT_FOLDER}", manifest)
    points, problems = 0, [str(error) for error in damage]
    decoder = SegmentDecoder(manifest, [tensor.name for tensor in manifest.tensors])
    label = f"verify {PurePosixPath(root).name}"
    with track(sum(len(segment.frames) for segment in segments), label, "point", progress) as bar:
        for segment in segments:
            good, found = _check_segment(fs, decoder, segment, bar)
            points += good
            problems += found
    run = Run(shown, fs, root, manifest, segments)
    problems += [] if damage or run.cut_off is None else [run.cut_off]
    notes = _notes(run)
    size = sum(segment.bytes for segment in segments)
    return VerificationReport(shown, len(segments), size, points, tuple(problems), tuple(notes))


def _check_segment(fs: Any, decoder: SegmentDecoder, segment: Segment, bar: Any) -> tuple[int, list[str]]:
    """Decode a segment as far as it goes, then check the frames behind the damage; good points and problems."""
    good, problems = 0, []
    try:
        for _ in decoder.points(fs, segment):
            good += 1
            bar.update()
    except CorruptError as error:
        problems.append(str(error))
    if problems:
        problems += _check_frames(fs, segment, good + 1)
        bar.update(len(segment.frames) - good)
    if segment.ended and segment.torn:
        problems.append(f"{segment.file}: behind the end mark are {segment.torn} bytes that no recorder wrote")
    return good, problems


def _check_frames(fs: Any, segment: Segment, start: int) -> list[str]:
    """Check the frames from the start-th on by their checksums alone."""
    problems = []
    with fs.open(segment.file, "rb") as file:
        for entry, iteration in zip(segment.frames[start:], segment.iterations[start:].tolist(), strict=True):
            try:
                read_frame(file, entry)
            except CorruptError as error:
                problems.append(f"{segment.file}: iteration {iteration}: {error}")
    return problems


def _notes(run: Run) -> list[str]:
    """Say what is unusual about a run that is whole."""
    notes = [
        f"{segment.file}: {segment.torn} bytes behind iteration {segment.iterations[-1]} were never committed"
        for segment in run.segments
        if segment.torn and not segment.ended
    ]
    fraction = run.manifest.recording.error_fraction
    if fraction:
        notes.append(f"recorded with a bounded error: each weight within {fraction:g} of its running mean |step|")
    if run.manifest.closed_at is None and not run.complete:
        notes.append("the recorder did not close this run; it holds every point up to the last committed one")
    return notes
