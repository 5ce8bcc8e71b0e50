"""Sums over iterations per parameter, and histograms per layer: what grows with K, never with time."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lca_analysis.allocation.histogram import WIDTH, add_to_histogram
from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.step import AllocatedStep
from lca_analysis.errors import CorruptError
from lca_analysis.store.files import appearing

_SUMS = ("helping", "hurting", "n_helping", "n_hurting", "step_flips", "gradient_flips", "counts", "sums")
PIECE = 2**17  # rows of the `parameters` table that are written at once
_COLUMNS = {
    "lca_helping": "helping",
    "lca_hurting": "hurting",
    "n_helping": "n_helping",
    "n_hurting": "n_hurting",
    "step_flips": "step_flips",
    "gradient_flips": "gradient_flips",
}
_BY_PARAMETER = {
    torch.float64: ("helping", "hurting"),
    torch.int32: ("n_helping", "n_hurting", "step_flips", "gradient_flips"),
    torch.int8: ("first_step", "last_step", "first_gradient", "last_gradient"),
}


@dataclass
class Accumulators:
    """Sums over a range of iterations.

    Attributes
    ----------
    helping, hurting : Tensor[K] float64, loss units
        Sums of the negative and of the positive LCA of each parameter.
    n_helping, n_hurting, step_flips, gradient_flips : Tensor[K] int32
        Counts of iterations; flips are changes of sign from one non-zero value to the next non-zero one.
    first_step, last_step, first_gradient, last_gradient : Tensor[K] int8
        Signs of the first and the last non-zero value, 0 without any: what joins two ranges.
    counts, sums : Tensor[layers, bins]
        Histogram of LCA by layer: how many values (int64), and their sum (float64).
    """

    helping: torch.Tensor
    hurting: torch.Tensor
    n_helping: torch.Tensor
    n_hurting: torch.Tensor
    step_flips: torch.Tensor
    gradient_flips: torch.Tensor
    first_step: torch.Tensor
    last_step: torch.Tensor
    first_gradient: torch.Tensor
    last_gradient: torch.Tensor
    counts: torch.Tensor
    sums: torch.Tensor

    @classmethod
    def zeros(cls, layout: Layout) -> "Accumulators":
        """Begin with nothing."""
        kinds = {name: kind for kind, names in _BY_PARAMETER.items() for name in names}
        vectors = {name: torch.zeros(layout.size, dtype=kind) for name, kind in kinds.items()}
        bins = len(layout.layers), WIDTH
        counts, sums = torch.zeros(bins, dtype=torch.int64), torch.zeros(bins, dtype=torch.float64)
        return cls(**vectors, counts=counts, sums=sums)

    def add(self, step: AllocatedStep, layout: Layout) -> None:
        """Take in one step."""
        lca = step.lca
        self.helping += lca.clamp(max=0)
        self.hurting += lca.clamp(min=0)
        self.n_helping += lca < 0
        self.n_hurting += lca > 0
        _add_signs(step.step, self.first_step, self.last_step, self.step_flips)
        _add_signs(step.path_gradient, self.first_gradient, self.last_gradient, self.gradient_flips)
        self._add_histogram(lca, layout)

    def merge(self, later: "Accumulators") -> None:
        """Take in the sums of the range that follows."""
        for name in _SUMS:
            getattr(self, name).add_(getattr(later, name))
        _join_signs(self.last_step, later.first_step, later.last_step, self.step_flips)
        _join_signs(self.last_gradient, later.first_gradient, later.last_gradient, self.gradient_flips)
        for name in ("step", "gradient"):
            first = getattr(self, f"first_{name}")
            first.copy_(torch.where(first == 0, getattr(later, f"first_{name}"), first))

    def _add_histogram(self, lca: torch.Tensor, layout: Layout) -> None:
        """Count the values of each layer by bin."""
        for place, row in zip(layout.places, layout.layer_numbers, strict=True):
            add_to_histogram(lca[place.slice], self.counts[row], self.sums[row])

    def save(self, path: Path) -> None:
        """Write to a file, whole or not at all."""
        with appearing(path) as file:
            np.savez(file, **{name: tensor.numpy() for name, tensor in vars(self).items()})

    @classmethod
    def load(cls, path: Path) -> "Accumulators":
        """Read from a file."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(**{name: torch.from_numpy(arrays[name]) for name in cls.__dataclass_fields__})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise CorruptError(f"{path} is damaged: {error}; compute this run again with overwrite") from error

    def parameter_pieces(self, layout: Layout) -> Iterator[dict[str, Any]]:
        """Give the rows of the `parameters` table, so many at once that their memory does not grow with K."""
        for place in sorted(layout.places, key=lambda place: place.tensor.name):
            for start in range(0, place.tensor.size, PIECE):
                stop = min(start + PIECE, place.tensor.size)
                rows = slice(place.slice.start + start, place.slice.start + stop)
                columns = {name: getattr(self, sums)[rows].numpy() for name, sums in _COLUMNS.items()}
                lca = columns["lca_helping"] + columns["lca_hurting"]
                index = np.arange(start, stop, dtype=np.int64)
                yield {"tensor": place.tensor.name, "index": index, "lca": lca, **columns}


def _add_signs(values: torch.Tensor, first: torch.Tensor, last: torch.Tensor, flips: torch.Tensor) -> None:
    """Count changes of sign, and keep the first and the last sign."""
    sign = values.sign().to(torch.int8)
    _join_signs(last, sign, sign, flips)
    first.copy_(torch.where(first == 0, sign, first))


def _join_signs(last: torch.Tensor, then: torch.Tensor, then_last: torch.Tensor, flips: torch.Tensor) -> None:
    """Count the change from the last sign to a later one, and move on to that range's last sign."""
    # The product of two signs is −1 for a change, and 0 when one of them is 0.
    flips += last * then < 0
    last.copy_(torch.where(then_last == 0, last, then_last))
