"""Checking every checksum and the whole chain of deltas of a run."""

import os
from dataclasses import dataclass

from lca_analysis.errors import CorruptError
from lca_analysis.progress import track
from lca_analysis.trajectory.run import Run, open_run


@dataclass(frozen=True)
class VerificationReport:
    """What `verify` found.

    Attributes
    ----------
    path : str
        The run folder.
    points : int
        Points that decoded with all checksums right.
    problems : tuple of str
        What is damaged, with file and iteration; empty when nothing is.
    notes : tuple of str
        What is no damage but worth knowing: an unclean end, uncommitted bytes.
    """

    path: str
    points: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged."""
        return not self.problems


def verify(path: str | os.PathLike[str], progress: bool | None = None) -> VerificationReport:
    """Read a run from end to end, checking every frame.

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
    try:
        run = open_run(path)
    except CorruptError as error:
        return VerificationReport(os.fspath(path), 0, (str(error),), ())
    points, problems = 0, []
    with track(len(run.iterations), "verify", "point", progress) as bar:
        for segment in run.segments:
            try:
                for _ in run.walk(int(segment.iterations[0]), int(segment.iterations[-1])):
                    points += 1
                    bar.update()
            except CorruptError as error:
                problems.append(str(error))
    return VerificationReport(run.path, points, tuple(problems), tuple(_notes(run)))


def _notes(run: Run) -> list[str]:
    """Say what is unusual about a run that is whole."""
    notes = [
        f"{segment.file}: {segment.torn} bytes behind iteration {segment.iterations[-1]} were never committed"
        for segment in run.segments
        if segment.torn
    ]
    if not run.complete:
        notes.append("the recorder did not close this run; it holds every point up to the last committed one")
    return notes
