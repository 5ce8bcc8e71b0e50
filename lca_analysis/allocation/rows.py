"""Reducers that give rows per step: tensors, units, sampled parameters, every element."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.allocation.layout import Layout, Place
from lca_analysis.allocation.part_rows import NO_PARTS
from lca_analysis.allocation.step import AllocatedStep

Columns = dict[str, Any]
ALL_CLASSES = -1
SAMPLE = 200  # parameters of a tensor that `series` keeps; all of a smaller one


def tensor_rows(layout: Layout, step: AllocatedStep, label: int = ALL_CLASSES) -> Columns:
    """Reduce a step, as far as the loss of one class or of all goes, to a row per tensor of the `layers` table."""
    rows = [_tensor_row(number, place, step) for number, place in enumerate(layout.places)]
    columns: Columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {"iteration": step.iteration, "class": label, **columns}


def null_tensor_rows(layout: Layout, iteration: int, label: int = ALL_CLASSES) -> Columns:
    """Give rows of the `layers` table for what has no allocation: null sums, zero counts."""
    return {
        "iteration": iteration,
        "class": label,
        "layer": [place.tensor.layer for place in layout.places],
        "tensor": [place.tensor.name for place in layout.places],
        "kind": [place.tensor.kind for place in layout.places],
        **dict.fromkeys(("lca", "lca_helping", "lca_hurting", "step_norm2", "gradient_norm2"), np.nan),
        **dict.fromkeys(("n_helping", "n_hurting", "n_zero"), 0),
        "error_estimate": np.nan,
        **NO_PARTS,
    }


def _tensor_row(number: int, place: Place, step: AllocatedStep) -> dict[str, Any]:
    """Reduce one tensor; sums are taken in float64."""
    lca = step.lca[place.slice]
    helping, hurting = _sum(lca.clamp(max=0)), _sum(lca.clamp(min=0))
    n_helping, n_hurting = int((lca < 0).sum()), int((lca > 0).sum())
    return {
        "layer": place.tensor.layer,
        "tensor": place.tensor.name,
        "kind": place.tensor.kind,
        "lca": helping + hurting,
        "lca_helping": helping,
        "lca_hurting": hurting,
        "n_helping": n_helping,
        "n_hurting": n_hurting,
        "n_zero": lca.numel() - n_helping - n_hurting,
        "step_norm2": _sum(step.step[place.slice].double().square()),
        "gradient_norm2": _sum(step.path_gradient[place.slice].double().square()),
        "error_estimate": float(step.errors[number]),
        **step.update.parts(number, place, step.weights, step.path_gradient, helping + hurting),
    }


def _sum(values: torch.Tensor) -> float:
    """Sum in float64."""
    return float(values.sum(dtype=torch.float64))


class UnitRows:
    """Sums over the neurons and channels of every layer that has units: weights and bias together."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._layers = [(layer, count) for layer in layout.layers if (count := layout.units(layer))]
        self._names = [layer for layer, count in self._layers for _ in range(count)]
        self._numbers = np.concatenate(
            [np.empty(0, np.int32), *(np.arange(n, dtype=np.int32) for _, n in self._layers)]
        )

    def __call__(self, iteration: int, lca: torch.Tensor | None) -> Columns | None:
        """Give rows of the `units` table; null sums without an allocation, None when no layer has units."""
        if not self._layers:
            return None
        sums: Any = np.nan
        if lca is not None:
            sums = np.concatenate([self._sums(layer, count, lca) for layer, count in self._layers])
        return {"iteration": iteration, "layer": self._names, "unit": self._numbers, "lca": sums}

    def _sums(self, layer: str, count: int, lca: torch.Tensor) -> NDArray[np.float64]:
        """Sum the allocation of one layer over everything but its units."""
        total = torch.zeros(count, dtype=torch.float64)
        for place in self._layout.of_layer(layer):
            place.add_unit_sums(lca, total)
        return total.numpy()


class SeriesRows:
    """The weight, step, path gradient and LCA of sampled parameters, at every step."""

    def __init__(self, layout: Layout, seed: int) -> None:
        chosen = [self._sample(place, number, seed) for number, place in enumerate(layout.places)]
        sizes = [len(indices) for indices in chosen]
        owners = [place for place, size in zip(layout.places, sizes, strict=True) for _ in range(size)]
        self._index = np.concatenate([np.empty(0, np.int64), *chosen])
        offsets = np.repeat([place.start for place in layout.places], sizes)
        self._flat = torch.from_numpy(self._index + offsets.astype(np.int64))
        self._layers = [place.tensor.layer for place in owners]
        self._tensors = [place.tensor.name for place in owners]

    def __call__(self, step: AllocatedStep) -> Columns:
        """Give rows of the `series` table."""
        taken = {
            "weight": step.weights,
            "step": step.step,
            "path_gradient": step.path_gradient,
            "lca": step.lca,
        }
        return {
            **self._keys(step.iteration),
            **{name: values[self._flat].numpy() for name, values in taken.items()},
        }

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


def element_rows(layout: Layout, iteration: int, lca: torch.Tensor | None) -> Columns:
    """Give rows of the `elements` table: the LCA of every parameter; null without an allocation."""
    return {
        "iteration": iteration,
        "tensor": [place.tensor.name for place in layout.places],
        "lca": [None if lca is None else lca[place.slice].float().numpy() for place in layout.places],
    }


def join(parts: list[Columns]) -> Columns:
    """Put the rows of several steps together."""
    if all(_is_single(value) for value in parts[0].values()):
        return {name: [part[name] for part in parts] for name in parts[0]}
    lengths = [next(len(value) for value in part.values() if not _is_single(value)) for part in parts]
    return {
        name: _join_column([_filled(part[name], length) for part, length in zip(parts, lengths, strict=True)])
        for name in parts[0]
    }


def _is_single(value: Any) -> bool:
    """Whether a value stands for a column of it."""
    return not isinstance(value, list | np.ndarray)


def _filled(value: Any, length: int) -> Any:
    """Give a column, a single value repeated."""
    return np.full(length, value) if _is_single(value) else value


def _join_column(values: list[Any]) -> Any:
    """Concatenate one column; lists of words and arrays stay lists."""
    if all(isinstance(value, np.ndarray) for value in values):
        return np.concatenate(values)
    return [item for value in values for item in value]
