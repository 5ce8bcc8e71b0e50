"""Allocating the steps of one range, and keeping what the tables need of them."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from lca_analysis.allocation.accumulators import Accumulators
from lca_analysis.allocation.directions import DirectionRows, load_directions
from lca_analysis.allocation.evaluator import SplitLoss
from lca_analysis.allocation.flat_model import FlatModel
from lca_analysis.allocation.iteration_rows import Allocated, iteration_rows
from lca_analysis.allocation.options import ComputeOptions
from lca_analysis.allocation.parameter_sums import count_type
from lca_analysis.allocation.part_rows import Update
from lca_analysis.allocation.path import NotFiniteError, RecordedPath
from lca_analysis.allocation.rows import (
    SeriesRows,
    UnitSums,
    element_rows,
    join,
)
from lca_analysis.allocation.scheme import PathIntegral
from lca_analysis.allocation.step import AllocatedStep
from lca_analysis.allocation.tensor_sums import ALL_CLASSES, Columns, TensorSums, null_tensor_rows


class RangeReducers:
    """Allocates steps and reduces them to rows and sums.

    Parameters
    ----------
    model : FlatModel
        The model.
    split_loss : SplitLoss
        The loss; it says whether classes are told apart.
    options : ComputeOptions
        How to compute.
    folder : Path
        Where sums by parameter are kept when they are many.
    keep_elements : callable, optional
        Takes the rows of the `elements` table, step by step: they are too many to wait for the end of the range.

    Attributes
    ----------
    accumulators : Accumulators
        Sums over the steps taken.
    """

    def __init__(
        self,
        model: FlatModel,
        split_loss: SplitLoss,
        options: ComputeOptions,
        folder: Path,
        keep_elements: Callable[[Columns], None] | None = None,
    ) -> None:
        self._split_loss = split_loss
        self._layout = model.layout
        self._tolerance = options.largest_residual
        self._scheme = options.make_scheme()
        self._units = UnitSums(self._layout)
        self._series = SeriesRows(self._layout, options.sample_seed)
        self._directions = _directions(model, options)
        self._keep_elements = keep_elements
        self.accumulators = Accumulators(self._layout, folder, count_type(options.range_length))
        self._parts: dict[str, list[Columns]] = {}

    def take(self, path: RecordedPath, iteration: int, iteration_next: int, update: Update, is_first: bool) -> None:
        """Allocate one step."""
        before = self._split_loss.evaluations
        started = path.start.has_gradient
        try:
            integral = self._scheme.integrate(path)
            path.check_finite(integral)
        except NotFiniteError:
            integral = None
        used = self._split_loss.evaluations - before
        if path.start.has_gradient and not started and self._scheme.uses_end and not is_first:
            # A range begins by repeating a gradient that belongs to the step before it.
            used -= 1
        if integral is None:
            self._take_nonfinite(iteration)
            allocated = None
        else:
            allocated = self._take_finite(path, integral, update, iteration, iteration_next)
        rows = iteration_rows(path, allocated, self._tolerance.of(path.loss_change), self._split_loss.class_sizes)
        keys = {"iteration": iteration, "iteration_next": iteration_next, "rule": self._scheme.name}
        evaluations = [used, *[0] * len(self._split_loss.class_sizes)]
        pieces = 0 if integral is None else len(integral.pieces)
        counts = {"pieces": pieces, "gradient_evaluations": evaluations}
        self._keep("iterations", {**keys, **rows, **counts, **_tilt_columns(integral)})

    def parts(self) -> dict[str, Columns]:
        """Give the rows of every table."""
        return {table: join(rows) for table, rows in self._parts.items()}

    def _take_finite(
        self, path: RecordedPath, integral: PathIntegral, update: Update, iteration: int, iteration_next: int
    ) -> list[Allocated]:
        """Reduce an allocated step; gives what the whole and each class was allocated."""
        ends, weights, found = (iteration, iteration_next), (path.start.weights, path.end.weights), []
        for view, (gradient, errors) in enumerate(zip(_stacked(integral.path_gradient), integral.errors, strict=True)):
            step = AllocatedStep(*ends, *weights, gradient, errors, update)
            found.append(self._take_view(step, view - 1))
        return found

    def _take_view(self, step: AllocatedStep, label: int) -> Allocated:
        """Reduce a step as far as all classes, or one of them, go."""
        if label != ALL_CLASSES and not self._split_loss.class_sizes[label]:
            self._keep("layers", null_tensor_rows(self._layout, step.iteration, label))
            return Allocated(np.nan, np.nan)
        sums = TensorSums(self._layout)
        for part in step.stretches(self._layout):
            sums.add(part, step.update)
            if label == ALL_CLASSES:
                self._units.add(part)
                self.accumulators.add(part)
        rows = sums.rows(step, label)
        self._keep("layers", rows)
        allocated = Allocated(math.fsum(rows["lca"]), math.fsum(step.errors))
        if label == ALL_CLASSES:
            self._take_whole(step, allocated.lca)
        return allocated

    def _take_whole(self, step: AllocatedStep, allocated: float) -> None:
        """Keep the rows that are of all classes together only."""
        self._keep("units", self._units.rows(step.iteration))
        self._keep("series", self._series(step))
        if self._directions is not None:
            self._keep("directions", self._directions(step, allocated))
        if self._keep_elements is not None:
            self._keep_elements(element_rows(self._layout, step.iteration, step))

    def _take_nonfinite(self, iteration: int) -> None:
        """Keep null rows for a step that cannot be allocated; the sums over iterations leave it out."""
        for label in range(ALL_CLASSES, len(self._split_loss.class_sizes)):
            self._keep("layers", null_tensor_rows(self._layout, iteration, label))
        self._keep("units", self._units.nonfinite(iteration))
        self._keep("series", self._series.nonfinite(iteration))
        if self._directions is not None:
            self._keep("directions", self._directions.nonfinite(iteration))
        if self._keep_elements is not None:
            self._keep_elements(element_rows(self._layout, iteration, None))

    def _keep(self, table: str, rows: Columns | None) -> None:
        """Keep the rows of one step."""
        if rows is not None:
            self._parts.setdefault(table, []).append(rows)


def _tilt_columns(integral: PathIntegral | None) -> Columns:
    """Say how far weights were tilted, and what the residual would be without."""
    tilt = None if integral is None else integral.tilt
    residual = None if integral is None else integral.untilted_residual
    return {"tilt": np.nan if tilt is None else tilt, "untilted_residual": np.nan if residual is None else residual}


def _directions(model: FlatModel, options: ComputeOptions) -> DirectionRows | None:
    """Read the directions that are asked for."""
    if options.directions is None:
        return None
    return DirectionRows(load_directions(options.directions, model.layout, model.dtype))


def _stacked(gradients: torch.Tensor) -> torch.Tensor:
    """Give a gradient, or a stack of them, as a stack."""
    return gradients if gradients.dim() == 2 else gradients[None]
