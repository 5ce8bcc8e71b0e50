"""Joining the sums of iteration ranges, in order, into the tables over all iterations."""

from pathlib import Path
from typing import Any

import numpy as np

from lca_analysis.allocation.accumulators import Accumulators
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.parameter_sums import count_type
from lca_analysis.allocation.ranges import RangeJob
from lca_analysis.store import BINS, Store, bin_edges


class RangeMerger:
    """Joins full ranges as far as they are there without a gap; what is joined is dropped.

    Ranges are always joined one by one from the first on, so that the sums do not depend on which worker was faster.
    A last range of less than the full length is joined in the tables only, since it changes when the run grows.

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
        self._full = [job for job in jobs if job.is_full]
        self._layout = layout
        self._folder = store.work(jobs[0].name, jobs[0].split)
        self._merged = max((int(path.stem.removeprefix("merged-")) for path in self._files()), default=0)

    def is_done(self, number: int) -> bool:
        """Whether a range is computed: written, and its sums joined or waiting to be."""
        job = self._jobs[number]
        tables = ("iterations", *job.tables(self._layout))
        written = all(self._store.has_part(table, job.name, job.split, job.part) for table in tables)
        return written and (number < self._merged or job.accumulators_path(self._store).is_file())

    def advance(self) -> None:
        """Join the full ranges that follow the last one joined."""
        if self._merged == len(self._full) or not self.is_done(self._merged):
            self._drop()
            return
        total = self._total()
        while self._merged < len(self._full) and self.is_done(self._merged):
            total.merge(self._load(self._full[self._merged]))
            self._merged += 1
        total.save(self._path(self._merged))
        self._drop()

    def write_tables(self) -> None:
        """Write `parameters` and `histogram`, once every range is computed."""
        total = self._total()
        for job in self._jobs[len(self._full) :]:
            total.merge(self._load(job))
        job = self._jobs[0]
        with self._store.growing_part("parameters", job.name, job.split) as write:
            for rows in total.parameter_pieces():
                write(rows)
        self._store.write_part("histogram", _histogram(total, self._layout), job.name, job.split)

    def _total(self) -> Accumulators:
        """Give the sums over the ranges joined so far."""
        if not self._merged:
            return Accumulators(self._layout, self._folder)
        return Accumulators.load(self._path(self._merged), self._layout, self._folder)

    def _load(self, job: RangeJob) -> Accumulators:
        """Give the sums over one range."""
        counts = count_type(job.options.range_length)
        return Accumulators.load(job.accumulators_path(self._store), self._layout, self._folder, counts)

    def _drop(self) -> None:
        """Remove what the newest joined file contains."""
        for path in self._files():
            if path != self._path(self._merged):
                path.unlink()
        for job in self._full[: self._merged]:
            job.accumulators_path(self._store).unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        """List the files of joined sums: one, or after an interruption two."""
        return list(self._folder.glob("merged-*.sums"))

    def _path(self, count: int) -> Path:
        """Name the file of the joined sums of so many ranges."""
        return self._folder / f"merged-{count:010d}.sums"


def _histogram(total: Accumulators, layout: Layout) -> dict[str, Any]:
    """Give the `histogram` table: the bins that hold something."""
    rows, columns = np.nonzero(total.counts)
    bins = columns - BINS
    lower, upper = bin_edges(bins)
    return {
        "layer": [layout.layers[row] for row in rows],
        "bin": bins,
        "lower": lower,
        "upper": upper,
        "count": total.counts[rows, columns],
        "lca": total.sums[rows, columns],
    }
