"""Loss change by iteration and layer, from the store's ``layers`` table."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lca_analysis.analysis.rows import EVERY_CLASS
from lca_analysis.errors import NotFoundError
from lca_analysis.store import Store

Reals = NDArray[np.float64]

PARTS = ("lca_momentum", "lca_decay", "lca_gradient")
"""The parts of the update: momentum carried over, weight decay, fresh minibatch gradient."""

_SUMS = ("lca_helping", "lca_hurting", "n_helping", "n_hurting")


@dataclass(frozen=True)
class LayerSeries:
    """Sums over the parameters of each layer, by iteration.

    Attributes
    ----------
    iterations : ndarray[T] int64
        Training iterations at which the steps start.
    layers : tuple of str
        The L layers, by depth; pseudo-layers that the index does not know come last.
    by_class : dict of int to ndarray[T, L] float64
        Σ_i A[t, i] in loss units for each class (−1: all); NaN where a step is not finite.
    helping, hurting : ndarray[T, L] float64
        Sums of the negative and of the positive A, all classes together, without buffers.
    n_helping, n_hurting : ndarray[T, L] float64
        How many parameters help and hurt, without buffers.
    parts : dict of str to ndarray[T, L] float64
        `PARTS` of the loss change, all classes together; NaN where the update was not divided.
    counts : dict of int to (ndarray[T, L] float64, ndarray[T, L] float64)
        ``n_helping`` and ``n_hurting`` of each single class.
    """

    iterations: NDArray[np.int64]
    layers: tuple[str, ...]
    by_class: dict[int, Reals]
    helping: Reals
    hurting: Reals
    n_helping: Reals
    n_hurting: Reals
    parts: dict[str, Reals] = field(default_factory=dict)
    counts: dict[int, tuple[Reals, Reals]] = field(default_factory=dict)

    @property
    def lca(self) -> Reals:
        """Loss change of the layers, all classes together: ndarray[T, L] float64."""
        return self.by_class[EVERY_CLASS]


def read_layer_series(store: Store, run: str, split: str) -> LayerSeries:
    """Read the layers' loss change by iteration.

    Parameters
    ----------
    store : Store
        The store.
    run, split : str
        Which run and split.

    Returns
    -------
    LayerSeries
        The series; a layer is the sum of its tensors.

    Raises
    ------
    NotFoundError
        The run or split has no ``layers`` table.
    """
    columns = ["iteration", "class", "layer", "kind", "lca", *_SUMS, *PARTS]
    frame = store.table("layers", run=run, split=split, columns=columns)
    iterations, row = np.unique(frame["iteration"].to_numpy(), return_inverse=True)
    layers = _by_depth(store, run, frame["layer"])
    column = pd.Categorical(frame["layer"], categories=list(layers)).codes.astype(np.int64)
    cell, shape = row * len(layers) + column, (len(iterations), len(layers))
    labels = frame["class"].to_numpy()
    by_class = {
        int(label): _summed(frame["lca"].to_numpy()[labels == label], cell[labels == label], shape)
        for label in np.unique(labels)
    }
    parameters = (frame["kind"] != "buffer").to_numpy()

    def of(name: str, chosen: NDArray[np.bool_]) -> Reals:
        return _summed(frame[name].to_numpy(np.float64)[chosen], cell[chosen], shape)

    whole = labels == EVERY_CLASS
    helping, hurting, n_helping, n_hurting = (of(name, whole & parameters) for name in _SUMS)
    counts = {
        label: (of("n_helping", parameters & (labels == label)), of("n_hurting", parameters & (labels == label)))
        for label in by_class
        if label != EVERY_CLASS
    }
    parts = {name: of(name, whole) for name in PARTS}
    return LayerSeries(iterations, layers, by_class, helping, hurting, n_helping, n_hurting, parts, counts)


def _summed(values: Reals, cell: NDArray[np.int64], shape: tuple[int, int]) -> Reals:
    """Sum tensors into layers; cells without a row are NaN, and so are those with a number that is not finite."""
    size = shape[0] * shape[1]
    total = np.bincount(cell, values, size).astype(np.float64)
    total[(np.bincount(cell, minlength=size) == 0) | ~np.isfinite(total)] = np.nan
    return total.reshape(shape)


def _by_depth(store: Store, run: str, layers: pd.Series) -> tuple[str, ...]:
    """Order the layers by depth, or by name where the index does not know them."""
    present = sorted(layers.unique())
    try:
        index = store.table("layers_index", run=run, columns=["layer", "depth"])
    except NotFoundError:
        return tuple(present)
    depth = dict(zip(index["layer"], index["depth"], strict=True))
    return tuple(sorted(present, key=lambda layer: (depth.get(layer, len(depth)), layer)))
