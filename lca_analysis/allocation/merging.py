"""Joining the sums of iteration ranges, in order, into the tables over all iterations."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from lca_analysis.allocation.accumulators import Accumulators
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.ranges import RangeJob
from lca_analysis.store import BINS, Store, bin_edges

_MERGED = re.compile(r"merged-(\d{10})\.npz")


class RangeMerger:
    """Joins ranges as far as they are there without a gap; what is joined is dropped.

    Ranges are always joined one by one from the first on, so that the sums do not depend on which worker was faster.

    Parameters
    ----------
    store : Store
        The store.
    jobs : list of RangeJob
        All ranges of one split, in order.
    layout : Layout
        Of the run's parameters.
    """

    def __init__(self, store: Store, jobs: list[RangeJob], layout: Layout) -> None:
        self._store = store
        self._jobs = jobs
        self._layout = layout
        self._folder = store.work(jobs[0].name, jobs[0].split)
        self.merged = max((int(_MERGED.fullmatch(path.name)[1]) for path in self._files()), default=0)

    def is_done(self, number: int) -> bool:
        """Whether a range is computed: written, and its sums joined or waiting to be."""
        job = self._jobs[number]
        written = self._store.has_part("iterations", job.name, job.split, job.part)
        return written and (number < self.merged or job.accumulators_path(self._store).is_file())

    def advance(self) -> None:
        """Join the ranges that follow the last one joined."""
        first = self.merged
        if first == len(self._jobs) or not self.is_done(first):
            return
        total = Accumulators.load(self._path(first)) if first else Accumulators.zeros(self._layout)
        while self.merged < len(self._jobs) and self.is_done(self.merged):
            total.merge(Accumulators.load(self._jobs[self.merged].accumulators_path(self._store)))
            self.merged += 1
        total.save(self._path(self.merged))
        self._drop()

    def write_tables(self) -> None:
        """Write `parameters` and `histogram`, once every range is joined."""
        total = Accumulators.load(self._path(self.merged))
        job = self._jobs[0]
        self._store.write_part("parameters", total.parameter_columns(self._layout), job.name, job.split)
        self._store.write_part("histogram", _histogram(total, self._layout), job.name, job.split)

    def finish(self) -> None:
        """Drop the working files."""
        for path in self._files():
            path.unlink()

    def _drop(self) -> None:
        """Remove what the newest joined file contains."""
        for path in self._files():
            if path != self._path(self.merged):
                path.unlink()
        for job in self._jobs[: self.merged]:
            job.accumulators_path(self._store).unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if _MERGED.fullmatch(path.name)]

    def _path(self, count: int) -> Path:
        return self._folder / f"merged-{count:010d}.npz"


def _histogram(total: Accumulators, layout: Layout) -> dict[str, Any]:
    """Give the `histogram` table: the bins that hold something."""
    rows, columns = np.nonzero(total.counts.numpy())
    bins = columns - BINS
    lower, upper = bin_edges(bins)
    return {
        "layer": [layout.layers[row] for row in rows],
        "bin": bins,
        "lower": lower,
        "upper": upper,
        "count": total.counts.numpy()[rows, columns],
        "lca": total.sums.numpy()[rows, columns],
    }
