"""Making an existing run ready for more points: what lies behind the last one to keep is cut off."""

import os
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from lca_analysis.disk import sync_folder
from lca_analysis.errors import CorruptError
from lca_analysis.trajectory.frames import read_frame
from lca_analysis.trajectory.manifest import Manifest, write_manifest
from lca_analysis.trajectory.run import Run, open_run
from lca_analysis.trajectory.segments import SEGMENT_FOLDER, Segment


@dataclass(frozen=True)
class Kept:
    """What is left of a run.

    Attributes
    ----------
    manifest : Manifest
        The content of run.json.
    iteration : int or None
        The last point; None when there is none.
    number : int
        Number of the segment that holds it.
    file : Path or None
        File of that segment.
    hyperparameters : list of dict
        In force at that point.
    """

    manifest: Manifest
    iteration: int | None = None
    number: int = 0
    file: Path | None = None
    hyperparameters: list[dict[str, Any]] = field(default_factory=list)


def cut_back(folder: Path, iteration: int | None) -> Kept:
    """Cut off all that lies behind a recorded point (None: the last one), from the end forwards.

    Every state on the way is a run that opens, with fewer and fewer points.
    """
    run = open_run(folder)
    if iteration is not None:
        run.check_recorded(iteration)
    segments = [segment for segment in run.segments if iteration is None or segment.iterations[0] <= iteration]
    if not segments:
        manifest = _reopen(folder, run.manifest)
        _remove_files_behind(folder, -1)
        return Kept(manifest)
    last = segments[-1]
    point = len(last.frames) - 1 if iteration is None else last.iterations.tolist().index(iteration)
    file, number = Path(last.file), int(Path(last.file).stem)
    hyperparameters = _hyperparameters(run, last, point)
    _check_frame(file, last, point)
    manifest = _reopen(folder, run.manifest)
    _remove_files_behind(folder, number)
    _truncate(file, last.frames[point].end)
    return Kept(manifest, int(last.iterations[point]), number, file, hyperparameters)


def _reopen(folder: Path, manifest: Manifest) -> Manifest:
    """Take back what the manifest says of the run's end, before the end mark goes."""
    if manifest.closed_at is None:
        return manifest
    reopened = msgspec.structs.replace(manifest, closed_at=None)
    write_manifest(folder, reopened)
    return reopened


def _hyperparameters(run: Run, segment: Segment, point: int) -> list[dict[str, Any]]:
    """Those in force at a point: the last that a header up to it states."""
    stated: list[dict[str, Any]] = []
    for header in islice(run.headers(segment), point + 1):
        stated = stated if header.hyperparameters is None else header.hyperparameters
    return stated


def _check_frame(file: Path, segment: Segment, point: int) -> None:
    """Raise CorruptError unless the frame that the rest will follow is whole."""
    try:
        with file.open("rb") as opened:
            read_frame(opened, segment.frames[point])
    except CorruptError as error:
        raise CorruptError(
            f"{file}: iteration {segment.iterations[point]}: {error}; resume at an iteration before it"
        ) from error


def _remove_files_behind(folder: Path, number: int) -> None:
    """Remove the segment files behind the given one, the last first, each for good before the next."""
    files = sorted((folder / SEGMENT_FOLDER).glob("*.lcaseg"), reverse=True)
    for file in files:
        if int(file.stem) > number:
            file.unlink()
            sync_folder(file.parent)


def _truncate(file: Path, size: int) -> None:
    """Cut a file, and wait until the disk has it."""
    with file.open("r+b") as opened:
        opened.truncate(size)
        os.fsync(opened.fileno())
