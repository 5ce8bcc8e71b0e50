"""How long all analyses of one run take, on a drawn store of the size that one chooses.

Run ``python benchmarks/analyses.py``: by default 2,000 iterations, 40 layers, 10 classes, 20,000 sampled parameters.
Prints the seconds that the drawing and the analyses took, and those of each kind of work; ``--limit`` makes it fail
when the analyses take longer.
"""

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from lca_analysis.analysis import analyze
from lca_analysis.store import Store, open_store, part_name

_RANGE = 50
_UNITS = 16


@dataclass(frozen=True)
class Size:
    """Size of the drawn run."""

    iterations: int
    layers: int
    classes: int
    parameters: int

    @property
    def names(self) -> list[str]:
        """Names of the layers, so that their order is their depth."""
        return [f"layer{depth:03d}" for depth in range(self.layers)]


def draw_store(path: str, size: Size, seed: int = 0) -> Store:
    """Write a run of AR(1) steps and gradients, range by range."""
    store = open_store(path, create=True)
    rng = np.random.default_rng(seed)
    _write_indices(store, size)
    totals = np.zeros((4, size.parameters))
    for first, step, gradient in _ranges(size, rng):
        last = first + len(step)
        lca = step * gradient
        totals += [lca.sum(0), np.minimum(lca, 0).sum(0), (lca < 0).sum(0), (lca > 0).sum(0)]
        for name, columns in _tables(size, first, step, gradient, rng).items():
            store.write_part(name, columns, "drawn", "train", part_name(first, last))
    store.write_part("parameters", _parameters(size, totals), "drawn", "train")
    store.write_part("computations", _computation(size), "drawn", "train")
    return store


def _ranges(size: Size, rng: np.random.Generator) -> Iterator[tuple[int, NDArray[Any], NDArray[Any]]]:
    """Draw steps that follow the gradient with momentum, a range of iterations at a time."""
    slow, late = np.zeros((1, size.parameters)), np.zeros((1, size.parameters))
    for first in range(0, size.iterations, _RANGE):
        shape = (min(_RANGE, size.iterations - first), size.parameters)
        signal, slow = lfilter([0.3], [1.0, -0.8], rng.standard_normal(shape, np.float32), axis=0, zi=slow)
        moved, late = lfilter([-0.01], [1.0, -0.9], signal + rng.standard_normal(shape, np.float32), axis=0, zi=late)
        yield first, moved, 0.01 * (signal + 0.5 * rng.standard_normal(shape, np.float32))


def _write_indices(store: Store, size: Size) -> None:
    """Write the tables that are kept by run."""
    names, each = size.names, size.parameters // size.layers
    row = {
        "run_id": "0" * 32, "path": "drawn", "problem": "drawn", "arguments": "{}", "parameters": size.parameters,
        "tensors": size.layers, "iterations": size.iterations, "optimizer": "SGD", "learning_rate": 0.01,
        "momentum": 0.9, "weight_decay": 0.0, "seed": 0, "group": "drawn", "tags": "{}", "lossless": True,
        "preset": "small", "every": 1, "complete": True, "created": "2024-01-01T00:00:00Z", "versions": "{}",
    }  # fmt: skip
    store.write_part("runs", row, "drawn")
    depth = np.arange(size.layers)
    columns = {"layer": names, "depth": depth, "kind": "Linear", "tensors": 1, "parameters": each, "units": _UNITS}
    store.write_part("layers_index", columns, "drawn")
    index = {"tensor": [f"{name}.weight" for name in names], "layer": names, "depth": depth, "kind": "weight"}
    index |= {"shape": [[each]] * size.layers, "parameters": each, "offset": depth * each, "trainable": True}
    store.write_part("parameters_index", index, "drawn")


def _tables(
    size: Size, first: int, step: NDArray[Any], gradient: NDArray[Any], rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Reduce a range to the tables that have a row for each iteration."""
    lca, length = step * gradient, len(step)
    layers = lca.reshape(length, size.layers, -1)
    units = layers[:, :, : _UNITS * (layers.shape[2] // _UNITS)].reshape(length, size.layers, _UNITS, -1).sum(3)
    time_, layer, unit = np.indices(units.shape)
    names = np.array(size.names, object)
    where = np.repeat(np.arange(first, first + length), size.parameters)
    owner = np.tile(np.repeat(names, size.parameters // size.layers), length)
    series = {"iteration": where, "layer": owner, "tensor": owner + ".weight"}
    series |= {"index": np.tile(np.arange(size.parameters) % layers.shape[2], length), "weight": 0.0}
    series |= {"step": step.ravel(), "path_gradient": gradient.ravel(), "lca": lca.ravel()}
    return {
        "iterations": _iteration_rows(size, first, lca.sum(1)),
        "layers": _layer_rows(size, first, layers, rng),
        "units": {
            "iteration": first + time_.ravel(), "layer": names[layer.ravel()], "unit": unit.ravel(),
            "lca": units.ravel(),
        },
        "series": series,
    }  # fmt: skip


def _iteration_rows(size: Size, first: int, allocated: NDArray[Any]) -> dict[str, Any]:
    """The loss of all classes together and of each, an equal share."""
    labels = np.arange(-1, size.classes)
    share = np.where(labels < 0, 1.0, 1 / max(size.classes, 1))
    change = (allocated[:, None] * share).ravel()
    iteration = np.repeat(np.arange(first, first + len(allocated)), len(labels))
    loss = 5.0 - np.arange(len(change)) * 1e-6
    return {
        "iteration": iteration, "iteration_next": iteration + 1, "class": np.tile(labels, len(allocated)),
        "loss_before": loss, "loss_after": loss + change, "loss_change": change, "allocated": change,
        "residual": 0.0, "rule": "paper", "pieces": 1, "gradient_evaluations": 3, "status": "ok",
    }  # fmt: skip


def _layer_rows(size: Size, first: int, layers: NDArray[Any], rng: np.random.Generator) -> dict[str, Any]:
    """All classes together and each class: its share with noise of its own."""
    length, labels = len(layers), np.arange(-1, size.classes)
    time_, label, layer = np.indices((length, len(labels), size.layers))
    net = layers.sum(2)[:, None, :] / np.where(labels < 0, 1, size.classes)[:, None]
    noise = np.abs(layers).sum(2)[:, None, :] * rng.standard_normal(time_.shape) * 0.05
    net = net + np.where(labels < 0, 0, 1)[:, None] * noise
    helping = np.minimum(layers, 0).sum(2)[:, None, :].repeat(len(labels), 1)
    count = (layers < 0).sum(2)[:, None, :].repeat(len(labels), 1)
    names = np.array(size.names, object)[layer.ravel()]
    parts = {"lca_momentum": 0.8 * net, "lca_decay": 0 * net, "lca_gradient": 0.2 * net}
    return {
        "iteration": first + time_.ravel(), "class": labels[label.ravel()], "layer": names,
        "tensor": names + ".weight", "kind": "weight", "lca": net.ravel(), "lca_helping": helping.ravel(),
        "lca_hurting": (net - helping).ravel(), "n_helping": count.ravel(),
        "n_hurting": (layers.shape[2] - count).ravel(), "n_zero": 0, "step_norm2": 1.0, "gradient_norm2": 1.0,
        **{name: values.ravel() for name, values in parts.items()},
    }  # fmt: skip


def _parameters(size: Size, totals: NDArray[Any]) -> dict[str, Any]:
    """Every parameter over all steps."""
    each = size.parameters // size.layers
    net, helping, n_helping, n_hurting = totals
    return {
        "tensor": np.repeat([f"{name}.weight" for name in size.names], each),
        "index": np.tile(np.arange(each), size.layers), "lca": net, "lca_helping": helping,
        "lca_hurting": net - helping, "n_helping": n_helping.astype(int), "n_hurting": n_hurting.astype(int),
        "step_flips": 0, "gradient_flips": 0,
    }  # fmt: skip


def _computation(size: Size) -> dict[str, Any]:
    """The settings of a computation."""
    return {
        "rule": "paper", "tolerance": 1e-3, "max_pieces": 32, "normalization": "batch", "batch_size": 1000,
        "examples": 1000, "fingerprint": "0" * 64, "dtype": "float32", "sample_seed": 0, "range_length": _RANGE,
        "iterations": size.iterations, "torch_version": "0", "package_version": "0",
    }  # fmt: skip


def main() -> int:
    """Draw, analyse, and print how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("iterations", 2000), ("layers", 40), ("classes", 10), ("parameters", 20_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--limit", type=float, help="fail when the analyses take longer, seconds")
    parser.add_argument("--store", help="folder of a store that was drawn before, or is to be kept")
    parser.add_argument("--profile", action="store_true", help="print where the time went")
    chosen = parser.parse_args()
    size = Size(chosen.iterations, chosen.layers, chosen.classes, chosen.parameters)
    with tempfile.TemporaryDirectory() as folder:
        path, begun = chosen.store or folder, time.perf_counter()
        drawn = chosen.store and "computations" in open_store(path, create=True).tables()
        store = open_store(path) if drawn else draw_store(path, size)
        print(f"drawn in {time.perf_counter() - begun:.1f} s: {size}", flush=True)
        profile, begun, used = cProfile.Profile(), time.perf_counter(), time.process_time()
        profile.runcall(analyze, store, progress=False) if chosen.profile else analyze(store, progress=False)
        seconds = time.perf_counter() - begun
        print(f"analysed in {seconds:.1f} s ({time.process_time() - used:.1f} s of processor time)")
    if chosen.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(35)
    return int(chosen.limit is not None and seconds > chosen.limit)


if __name__ == "__main__":
    sys.exit(main())
