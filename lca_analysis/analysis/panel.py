"""Steps and path-mean gradients of the sampled parameters, from the store's ``series`` table."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lca_analysis.errors import CorruptError, NotFoundError
from lca_analysis.store import Store

_ROWS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Panel:
    """Series of P sampled parameters on T evenly spaced recorded steps, all finite.

    Attributes
    ----------
    layer, name : ndarray[P] of str
        Layer of each parameter, and its name: tensor[index].
    step, gradient : ndarray[T, P] float32 or float64
        Δ[t, i] and ḡ[t, i].
    spacing : int
        Training iterations between recorded points.
    first : int
        Place of the first step in the run.
    """

    layer: NDArray[np.object_]
    name: NDArray[np.object_]
    step: NDArray[np.floating]
    gradient: NDArray[np.floating]
    spacing: int
    first: int

    def of_layer(self, layer: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give steps and gradients of a layer's parameters, float64."""
        chosen = self.layer == layer
        return self.step[:, chosen].astype(np.float64), self.gradient[:, chosen].astype(np.float64)


def read_panel(store: Store, run: str, split: str, iterations: NDArray[np.int64]) -> Panel | None:
    """Read the sampled parameters' series.

    Parameters
    ----------
    store : Store
        The store.
    run, split : str
        Which run and split.
    iterations : ndarray[T] int64
        The iterations of the run and split.

    Returns
    -------
    Panel or None
        The longest stretch of steps that are evenly spaced and finite; None when there is no ``series`` table.

    Raises
    ------
    CorruptError
        The table does not hold the same parameters in every iteration.
    """
    try:
        keys = store.table("series", run, split, ["layer", "tensor", "index"], iteration=int(iterations[0]))
    except NotFoundError:
        return None
    if len(keys) == 0:
        return None
    stop = max(_ROWS_AT_ONCE // len(keys), 1)
    parts = [
        _read_rows(store, (run, split), keys, iterations[start : start + stop])
        for start in range(0, len(iterations), stop)
    ]
    step, gradient = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    finite = np.isfinite(step).all(1) & np.isfinite(gradient).all(1)
    chosen, spacing = longest_stretch(iterations, finite)
    layer = keys["layer"].to_numpy(object)
    name = (keys["tensor"].astype(str) + "[" + keys["index"].astype(str) + "]").to_numpy(object)
    return Panel(layer, name, step[chosen], gradient[chosen], spacing, chosen.start)


def _read_rows(
    store: Store, partition: tuple[str, str], keys: pd.DataFrame, iterations: NDArray[np.int64]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Read steps and gradients of some iterations as arrays[T, P]."""
    wanted = range(int(iterations[0]), int(iterations[-1]) + 1)
    frame = store.table("series", *partition, ["iteration", "index", "step", "path_gradient"], iteration=wanted)
    shape = (len(iterations), len(keys))
    complete = len(frame) == len(iterations) * len(keys)
    if not complete or (frame["index"].to_numpy().reshape(shape) != keys["index"].to_numpy()).any():
        raise CorruptError(
            f"the table 'series' of run {partition[0]!r}, split {partition[1]!r}, iterations {wanted.start} to "
            f"{wanted.stop - 1}, does not hold the same {len(keys)} parameters in every iteration; compute it again"
        )
    return frame["step"].to_numpy().reshape(shape), frame["path_gradient"].to_numpy().reshape(shape)


def longest_stretch(iterations: NDArray[np.int64], finite: NDArray[np.bool_]) -> tuple[slice, int]:
    """Find the longest stretch of steps that are finite and follow each other at the usual distance.

    Parameters
    ----------
    iterations : ndarray[T] int64
        Training iterations of the steps.
    finite : ndarray[T] bool
        Whether all numbers of a step are finite.

    Returns
    -------
    tuple of (slice, int)
        The steps, empty when none is finite, and the training iterations between two.
    """
    gaps = np.diff(iterations)
    spacing = int(np.bincount(gaps).argmax()) if len(gaps) else 1
    breaks = np.flatnonzero(np.append(True, gaps != spacing))
    best = slice(0, 0)
    for start, stop in zip(breaks, [*breaks[1:], len(iterations)], strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], finite[start:stop].astype(np.int8), [0]])))
        for low, high in zip(edges[::2], edges[1::2], strict=True):
            if high - low > best.stop - best.start:
                best = slice(int(start + low), int(start + high))
    return best, spacing
