"""Going through the steps of a run, range by range, without reading again what the range before has read."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lca_analysis.allocation.evaluator import SplitLoss
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.allocation.part_rows import Update
from lca_analysis.allocation.path import EndPoint, RecordedPath
from lca_analysis.allocation.updates import UpdateTracker, steps_before
from lca_analysis.trajectory import Point, Run


class WalkedStep(NamedTuple):
    """A step: its path, the recorded points at its ends, and how the optimizer made it."""

    path: RecordedPath
    iteration: int
    iteration_next: int
    update: Update


class StepWalk:
    """Gives the steps of ranges; a range that comes later in the run goes on from where the one before ended.

    What a range is given does not depend on the ranges before it: momentum is followed from a fixed number of steps
    before it on, also where they belong to the range before, which then follows it twice.

    Parameters
    ----------
    run : Run
        The run.
    model : FlatModel
        The problem's model.
    split_loss : SplitLoss
        The loss.
    """

    def __init__(self, run: Run, model: FlatModel, split_loss: SplitLoss) -> None:
        self._run, self._model, self._split_loss = run, model, split_loss
        self._points: Iterator[Point] = iter(())
        self._here: tuple[EndPoint, Point] | None = None
        self._heir: UpdateTracker | None = None

    def steps(self, first: int, last: int) -> Iterator[WalkedStep]:
        """Go through a range; neighbours share their end point.

        Parameters
        ----------
        first, last : int
            Recorded points at which the first step starts and the last one ends.

        Yields
        ------
        WalkedStep
            The steps in order; each must be dropped before the next is asked for.
        """
        tracker, (start, before) = self._begin(first)
        next_begins = self._look_back(last)
        while before.iteration < last:
            if before.iteration == next_begins:
                self._heir = self._new_tracker(next_begins, tracker)
            end, after = self._read()
            if before.iteration >= first:
                carries = tracker.take(start.weights, end.weights, before, after)
                path = RecordedPath(self._split_loss, start, end)
                yield WalkedStep(path, before.iteration, after.iteration, Update(carries, tracker.buffer))
                del path
            for follower in (self._heir, tracker):
                if follower is not None:
                    follower.follow(start.weights, end.weights, before, after)
            start, before = end, after
            del end
        self._here = start, before  # only now: a range that is broken off leaves nothing

    def _begin(self, first: int) -> tuple[UpdateTracker, tuple[EndPoint, Point]]:
        """Go to the point from which on momentum is followed for a range, or take over what has been followed."""
        here, heir = self._here, self._heir
        self._here = self._heir = None
        if here is not None and heir is not None and here[1].iteration == first:
            heir.move_in()
            return heir, here
        begin = self._look_back(first)
        if here is None or here[1].iteration > begin:
            here, self._points = None, self._run.walk(begin, None, self._model.names, copy=False)
        while here is None or here[1].iteration < begin:
            here = self._read()
        return self._new_tracker(begin), here

    def _read(self) -> tuple[EndPoint, Point]:
        """Read the next point."""
        point = next(self._points)
        self._model.check_buffers(point.weights, point.iteration)
        end = EndPoint(self._split_loss, self._model.flatten(point.weights))
        point.weights.clear()  # whoever hands points on still holds this one while the step is allocated
        return end, replace(point, weights={})

    def _look_back(self, first: int) -> int:
        """Find the point from which on steps are followed, so that the momentum is known at the start of a range."""
        steps = steps_before(self._run.manifest, self._model.dtype)
        place = max(0, int(np.searchsorted(self._run.iterations, first)) - steps)
        return int(self._run.iterations[place])

    def _new_tracker(self, begin: int, host: UpdateTracker | None = None) -> UpdateTracker:
        """Make a tracker that follows steps from a recorded point on."""
        tracker = UpdateTracker(self._model.layout, self._run.manifest, self._model.dtype, host)
        if begin == self._run.iterations[0] == 0 and self._run.manifest.optimizer.fresh:
            tracker.begin()
        return tracker
