"""Reducers that give rows per step: units, sampled parameters, every element."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lca_analysis.allocation.layout import Layout, Place
from lca_analysis.allocation.step import AllocatedStep, StepStretch
from lca_analysis.allocation.tensor_sums import Columns

SAMPLE = 200  # parameters of a tensor that `series` keeps; all of a smaller one


class UnitSums:
    """Sums over the neurons and channels of every layer that has units: weights and bias together."""

    def __init__(self, layout: Layout) -> None:
        # In the order of the table, so that it need not be sorted.
        layers = [(layer, count) for layer in sorted(layout.layers) if (count := layout.units(layer))]
        starts = dict(zip((layer for layer, _ in layers), np.cumsum([0, *(n for _, n in layers)]), strict=False))
        self._places = [
            slice(starts[layer], starts[layer] + layout.units(layer)) if layer in starts else None
            for layer in (place.tensor.layer for place in layout.places)
        ]
        self._names = _repeated([layer for layer, _ in layers], [count for _, count in layers])
        self._numbers = np.concatenate([np.empty(0, np.int32), *(np.arange(n, dtype=np.int32) for _, n in layers)])
        self._sums = np.zeros(len(self._names))

    def add(self, part: StepStretch) -> None:
        """Take in a stretch of a step."""
        place = self._places[part.stretch.number]
        if place is not None:
            part.stretch.add_unit_sums(part.lca, self._sums[place])

    def rows(self, iteration: int) -> Columns | None:
        """Give the rows of a step, once every stretch is in, and begin anew; None when no layer has units."""
        sums, self._sums = self._sums, np.zeros(len(self._names))
        return self._rows(iteration, sums)

    def nonfinite(self, iteration: int) -> Columns | None:
        """Give null rows for a step without an allocation."""
        return self._rows(iteration, np.nan)

    def _rows(self, iteration: int, lca: Any) -> Columns | None:
        if not len(self._names):
            return None
        return {"iteration": iteration, "layer": self._names, "unit": self._numbers, "lca": lca}


class SeriesRows:
    """The weight, step, path gradient and LCA of sampled parameters, at every step."""

    def __init__(self, layout: Layout, seed: int) -> None:
        numbered = sorted(enumerate(layout.places), key=lambda item: (item[1].tensor.layer, item[1].tensor.name))
        chosen = [self._sample(place, number, seed) for number, place in numbered]  # in the order of the table
        sizes, places = [len(indices) for indices in chosen], [place for _, place in numbered]
        self._index = np.concatenate([np.empty(0, np.int64), *chosen])
        offsets = np.repeat([place.start for place in places], sizes)
        self._flat = self._index + offsets.astype(np.int64)
        self._layers = _repeated([place.tensor.layer for place in places], sizes)
        self._tensors = _repeated([place.tensor.name for place in places], sizes)

    def __call__(self, step: AllocatedStep) -> Columns:
        """Give rows of the `series` table."""
        names = ("weight", "step", "path_gradient", "lca")
        return {**self._keys(step.iteration), **dict(zip(names, step.at(self._flat), strict=True))}

    def nonfinite(self, iteration: int) -> Columns:
        """Give null rows for a step whose allocation is not finite."""
        return {**self._keys(iteration), **dict.fromkeys(("weight", "step", "path_gradient", "lca"), np.nan)}

    def _keys(self, iteration: int) -> Columns:
        return {"iteration": iteration, "layer": self._layers, "tensor": self._tensors, "index": self._index}

    @staticmethod
    def _sample(place: Place, number: int, seed: int) -> NDArray[np.int64]:
        """Draw the parameters of one tensor; the draw depends on seed, tensor number and size only."""
        size = place.tensor.size
        if size <= SAMPLE:
            return np.arange(size, dtype=np.int64)
        drawn = np.random.default_rng([seed, number]).choice(size, SAMPLE, replace=False)
        return np.sort(drawn).astype(np.int64)


def element_rows(layout: Layout, iteration: int, step: AllocatedStep | None) -> Columns:
    """Give rows of the `elements` table: the LCA of every parameter; null without an allocation."""
    lca = [None if step is None else step.at(place.slice)[3].astype(np.float32, copy=False) for place in layout.places]
    return {"iteration": iteration, "tensor": [place.tensor.name for place in layout.places], "lca": lca}


def join(parts: list[Columns]) -> Columns:
    """Put the rows of several steps together."""
    if all(_is_single(value) for value in parts[0].values()):
        return {name: [part[name] for part in parts] for name in parts[0]}
    lengths = [next(len(value) for value in part.values() if not _is_single(value)) for part in parts]
    return {
        name: _join_column([_filled(part[name], length) for part, length in zip(parts, lengths, strict=True)])
        for name in parts[0]
    }


def _repeated(names: list[str], counts: list[int]) -> "pd.Categorical[str]":
    """Repeat each name: a column of few words, which it costs little to repeat and to store."""
    known = sorted(set(names))
    codes = np.array([known.index(name) for name in names], np.int32)
    return pd.Categorical.from_codes(np.repeat(codes, counts), pd.Index(known))


def _is_single(value: Any) -> bool:
    """Whether a value stands for a column of it."""
    return not isinstance(value, list | np.ndarray | pd.Categorical)


def _filled(value: Any, length: int) -> Any:
    """Give a column, a single value repeated."""
    return np.full(length, value) if _is_single(value) else value


def _join_column(values: list[Any]) -> Any:
    """Concatenate one column, of the same categories where it has any; lists of words and arrays stay lists."""
    if isinstance(values[0], pd.Categorical):
        return pd.Categorical.from_codes(np.concatenate([value.codes for value in values]), dtype=values[0].dtype)
    if all(isinstance(value, np.ndarray) for value in values):
        return np.concatenate(values)
    return [item for value in values for item in value]
