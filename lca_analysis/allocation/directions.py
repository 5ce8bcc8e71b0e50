"""LCA along given orthonormal directions of parameter space, and what is left of it outside of them."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.allocation.layout import Layout
from lca_analysis.allocation.step import AllocatedStep
from lca_analysis.allocation.stretches import slices
from lca_analysis.allocation.tensor_sums import Columns
from lca_analysis.errors import ArgumentError, CorruptError, FormatError, MismatchError, NotFoundError
from lca_analysis.trajectory import to_numbers
from lca_analysis.trajectory.importing import read_safetensors

FLAT = "directions"
REMAINDER = -1
_TOLERANCE = 1e-4


def load_directions(path: str, layout: Layout, dtype: torch.dtype) -> torch.Tensor:
    """Read an orthonormal basis from a .npz or .safetensors file.

    Parameters
    ----------
    path : str
        The file. Either one array named ``directions`` of shape [R, K], over all parameters in the run's order, each in
        C order; or for any of the run's tensors an array of its name and of shape [R, *shape], the others being zero.
    layout : Layout
        Of the flat vectors.
    dtype : torch.dtype
        Of the flat vectors.

    Returns
    -------
    Tensor[R, K]
        A direction in each row.

    Raises
    ------
    NotFoundError, FormatError, CorruptError, MissingDependencyError
        The file cannot be read.
    MismatchError
        An array does not fit the run's tensors.
    ArgumentError
        The directions are not orthonormal.
    """
    arrays = _read(Path(path))
    basis = _flat(path, arrays, layout) if FLAT in arrays else _by_tensor(path, arrays, layout)
    _check_orthonormal(path, basis)
    return torch.from_numpy(basis).to(dtype)


def fingerprint_of(directions: torch.Tensor) -> str:
    """Compute the SHA-256 of a basis, which stands for it among the settings of a computation."""
    return hashlib.sha256(directions.contiguous().numpy().data).hexdigest()


class DirectionRows:
    """The motion along each direction, the path gradient along it, and their product; then the rest.

    With orthonormal u_r: Σ_i Δ_i ḡ_i = Σ_r (Δ·u_r)(ḡ·u_r) + what lies outside of the directions.
    """

    def __init__(self, directions: torch.Tensor) -> None:
        self._directions = directions
        self._numbers = [*range(len(directions)), REMAINDER]

    def __call__(self, step: AllocatedStep, allocated: float) -> Columns:
        """Give rows of the `directions` table; `allocated` is the LCA of all parameters."""
        moved, slope = self._along(step)
        lca = moved * slope
        return {
            "iteration": step.iteration,
            "direction": self._numbers,
            "step": [*moved.tolist(), np.nan],
            "path_gradient": [*slope.tolist(), np.nan],
            "lca": [*lca.tolist(), allocated - float(lca.sum())],
        }

    def nonfinite(self, iteration: int) -> Columns:
        """Give null rows for a step without an allocation."""
        numbers = dict.fromkeys(("step", "path_gradient", "lca"), np.nan)
        return {"iteration": iteration, "direction": self._numbers, **numbers}

    def _along(self, step: AllocatedStep) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the components of Δ and ḡ, summed in float64."""
        moved, slope = torch.zeros(2, len(self._directions), dtype=torch.float64)
        for slab in slices(0, self._directions.shape[1]):
            basis = self._directions[:, slab].double()
            _, step_slab, gradient_slab, _ = step.at(slab)
            moved += basis @ torch.from_numpy(step_slab).double()
            slope += basis @ torch.from_numpy(gradient_slab).double()
        return moved, slope


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of a file."""
    if not path.is_file():
        raise NotFoundError(f"{path}: there is no such file of directions")
    if path.suffix == ".safetensors":
        described, arrays = read_safetensors(path)
        found = {tensor.name: to_numbers(arrays[tensor.name], tensor.dtype) for tensor in described}
    elif path.suffix == ".npz":
        found = _read_npz(path)
    else:
        raise FormatError(f"{path}: directions are read from .npz and .safetensors files")
    for name, array in found.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ArgumentError(f"{path}: array {name!r} must hold finite floating-point numbers")
    return found


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read a .npz file, without pickles."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise CorruptError(f"{path} is damaged, or holds more than plain arrays: {error}") from error


def _flat(path: str, arrays: dict[str, NDArray[Any]], layout: Layout) -> NDArray[np.float64]:
    """Take one array over all parameters."""
    basis = arrays[FLAT]
    if len(arrays) > 1 or basis.ndim != 2 or basis.shape[1] != layout.size:
        raise MismatchError(
            f"{path}: the array {FLAT!r} must stand alone and have shape (R, {layout.size}), a row for each direction "
            f"over all parameters; it has {basis.shape}"
        )
    return basis.astype(np.float64, order="C")


def _by_tensor(path: str, arrays: dict[str, NDArray[Any]], layout: Layout) -> NDArray[np.float64]:
    """Join one array for each tensor."""
    places = {place.tensor.name: place for place in layout.places}
    counts = {len(array) if array.ndim else 0 for array in arrays.values()}
    if len(counts) != 1:
        raise MismatchError(f"{path}: its arrays must all begin with the number of directions; found {sorted(counts)}")
    basis = np.zeros((counts.pop(), layout.size))
    for name, array in arrays.items():
        if name not in places:
            raise MismatchError(f"{path}: the run has no tensor {name!r}; it has {', '.join(list(places)[:6])} …")
        place = places[name]
        if array.shape[1:] != place.tensor.shape:
            raise MismatchError(f"{path}: {name!r} must have shape (R, *{place.tensor.shape}), not {array.shape}")
        basis[:, place.slice] = array.reshape(len(array), -1)
    return basis


def _check_orthonormal(path: str, basis: NDArray[np.float64]) -> None:
    """Raise ArgumentError for the first pair of directions whose scalar product is not 0, or 1 with itself."""
    if not len(basis):
        raise ArgumentError(f"{path} holds no direction")
    off = np.abs(basis @ basis.T - np.eye(len(basis)))
    if off.max() > _TOLERANCE:
        first, second = (int(number) for number in np.unravel_index(np.argmax(off), off.shape))
        product = float(basis[first] @ basis[second])
        raise ArgumentError(
            f"{path}: directions must be orthonormal (to {_TOLERANCE:g}), but the scalar product of directions {first} "
            f"and {second} is {product:.6g}; orthonormalise them first, for example with numpy.linalg.qr"
        )
