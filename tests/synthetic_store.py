"""A store with every table that a computation writes, made of drawn steps and gradients with planted effects.

One network of fully connected layers fc1, fc2, … is moved by SGD with momentum and weight decay under an oscillating
gradient. All tables are reduced from the same arrays, so they agree as those of a real computation do. Planted are:

- the last layer hurts (`hurting_layer`): it follows the gradient half a period late; the others help;
- all layers have their deepest moments of learning in the same iterations (`peak_iterations`);
- the gradient oscillates with a period of 12 iterations (`PERIOD`);
- the first input of fc1 is dead: the gradient and the LCA of its weights are exactly zero.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from lca_analysis.store import Store, bin_edges, bin_numbers, open_store, part_name

PERIOD = 12
LEARNING_RATE = 0.1
MOMENTUM = 0.5
WEIGHT_DECAY = 5e-4
FIRST_LOSS = 2.5
TOTAL_LCA = -2.0
RANGE_LENGTH = 100
SAMPLE = 200

_INPUTS = 4
_BURN_IN = 200
_MINIBATCH_NOISE = 2.0
_PATH_NOISE = 2.0
_PEAK_DEPTH = 1.2
_RESIDUAL = 1e-7

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tensor:
    """One parameter tensor: a slice of the flat parameters."""

    name: str
    layer: str
    depth: int
    kind: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def where(self) -> slice:
        return slice(self.offset, self.offset + self.size)


@dataclass(frozen=True)
class Motion:
    """The trajectory, each array[T, K]: weight before the step, and the step in its three parts."""

    weight: Array
    momentum: Array
    decay: Array
    fresh: Array

    @property
    def step(self) -> Array:
        return self.momentum + self.decay + self.fresh


def hurting_layer(layers: int) -> str:
    """The layer that is planted to hurt: the last."""
    return f"fc{layers}"


def peak_iterations(iterations: int) -> Array:
    """The iterations in which all layers are planted to learn most."""
    return np.arange(PERIOD, iterations - 1, max(iterations // 8, 3))


def synthetic_store(
    path: str | os.PathLike[str],
    *,
    run: str = "synthetic",
    layers: int = 3,
    iterations: int = 200,
    splits: tuple[str, ...] = ("train", "validation"),
    seed: int = 0,
    units: int = 8,
    classes: int = 0,
) -> Store:
    """Write a synthetic run into the store at path, which is made when it is missing, and return the store.

    With classes > 0 the tables iterations and layers also have rows of class 0, …, classes − 1, which add up to
    those of class −1. Call it again with another run and seed for a store of several runs (repeats of one group).
    """
    store = open_store(path, create=True)
    tensors = _tensors(layers, units)
    random = np.random.default_rng(seed)
    motion, signal = _draw(random, tensors, iterations, hurting_layer(layers))
    _write_run(store, run, tensors, iterations, seed)
    scale = None
    for split in splits:
        gradient = _path_gradient(random, tensors, signal, motion.step)
        scale = TOTAL_LCA / (gradient * motion.step).sum() if scale is None else scale
        _write_split(store, run, split, tensors, motion, gradient * scale, random, classes)
    return store


def _tensors(layers: int, units: int) -> list[Tensor]:
    """Lay out a weight and a bias for every layer."""
    found: list[Tensor] = []
    offset = 0
    for depth in range(layers):
        for kind, shape in (("weight", (units, _INPUTS)), ("bias", (units,))):
            layer = f"fc{depth + 1}"
            found.append(Tensor(f"{layer}.{kind}", layer, depth, kind, shape, offset))
            offset += found[-1].size
    return found


def _dead(tensors: list[Tensor]) -> Array:
    """Flat places of the weights of the dead input."""
    return np.arange(tensors[0].size).reshape(tensors[0].shape)[:, 0]


def _draw(random: np.random.Generator, tensors: list[Tensor], iterations: int, late: str) -> tuple[Motion, Array]:
    """Draw the oscillating gradient, and move the weights by SGD on it."""
    count = sum(tensor.size for tensor in tensors)
    radius, angle = 0.97, 2 * np.pi / PERIOD
    noise = random.standard_normal((_BURN_IN + iterations, count))
    signal = lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], noise, axis=0)
    signal /= signal.std()
    seen = signal[_BURN_IN:].copy()
    for tensor in tensors:
        if tensor.layer == late:
            half = PERIOD // 2
            seen[:, tensor.where] = signal[_BURN_IN - half : -half, tensor.where]
    minibatch = seen + _MINIBATCH_NOISE * random.standard_normal(seen.shape)
    minibatch[:, _dead(tensors)] = 0.0
    return _descend(0.5 * random.standard_normal(count), minibatch), signal[_BURN_IN:]


def _descend(weight: Array, minibatch: Array) -> Motion:
    """Step by step: step = momentum · previous step − learning rate · (gradient + weight decay · weight)."""
    weights, momentum = np.empty_like(minibatch), np.empty_like(minibatch)
    decay, fresh = np.empty_like(minibatch), -LEARNING_RATE * minibatch
    step = np.zeros_like(weight)
    for t in range(len(minibatch)):
        weights[t], momentum[t], decay[t] = weight, MOMENTUM * step, -LEARNING_RATE * WEIGHT_DECAY * weight
        step = momentum[t] + decay[t] + fresh[t]
        weight = weight + step
    return Motion(weights, momentum, decay, fresh)


def _path_gradient(random: np.random.Generator, tensors: list[Tensor], signal: Array, step: Array) -> Array:
    """Draw a split's path-mean gradient: the signal, the split's own noise, and the planted peaks."""
    gradient = signal + _PATH_NOISE * random.standard_normal(signal.shape)
    peaks = peak_iterations(len(signal))
    gradient[peaks] = -_PEAK_DEPTH * gradient.std() / step.std() * step[peaks]
    gradient[:, _dead(tensors)] = 0.0
    return gradient


def _write_run(store: Store, run: str, tensors: list[Tensor], iterations: int, seed: int) -> None:
    """Write the tables that are kept by run."""
    biases = [tensor for tensor in tensors if tensor.kind == "bias"]
    row = {
        "run_id": f"{seed:032x}", "path": run, "problem": "synthetic", "arguments": "{}",
        "parameters": sum(tensor.size for tensor in tensors), "tensors": len(tensors), "iterations": iterations,
        "optimizer": "SGD", "learning_rate": LEARNING_RATE, "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY,
        "seed": seed, "group": "synthetic", "tags": "{}", "lossless": True, "preset": "small", "every": 1,
        "complete": True, "created": "2024-01-01T00:00:00Z", "versions": "{}",
    }  # fmt: skip
    store.write_part("runs", row, run)
    index = {
        "layer": [bias.layer for bias in biases],
        "depth": [bias.depth for bias in biases],
        "kind": "Linear",
        "tensors": 2,
        "parameters": [bias.size * (_INPUTS + 1) for bias in biases],
        "units": [bias.size for bias in biases],
    }
    store.write_part("layers_index", index, run)
    names = ("layer", "depth", "kind", "offset")
    columns: dict[str, Any] = {name: [getattr(tensor, name) for tensor in tensors] for name in names}
    columns |= {"tensor": [tensor.name for tensor in tensors], "shape": [list(tensor.shape) for tensor in tensors]}
    columns |= {"parameters": [tensor.size for tensor in tensors], "trainable": True}
    store.write_part("parameters_index", columns, run)


def _write_split(
    store: Store,
    run: str,
    split: str,
    tensors: list[Tensor],
    motion: Motion,
    gradient: Array,
    random: np.random.Generator,
    classes: int,
) -> None:
    """Write the tables that are kept by split."""
    iterations = len(gradient)
    lca = motion.step * gradient
    by_class = _class_gradients(random, gradient, classes)
    whole = {"computations": _computation(iterations), "parameters": _parameters(tensors, motion.step, gradient)}
    whole["histogram"] = _histogram(tensors, lca)
    for name, data in whole.items():
        store.write_part(name, data, run, split)
    tables = {
        "iterations": _iterations(random, {key: (motion.step * value).sum(1) for key, value in by_class.items()}),
        "layers": _stack(_layer_rows(tensor, motion, by_class[c], c) for c in by_class for tensor in tensors),
        "units": _stack(_unit_rows(*pair, lca) for pair in zip(tensors[::2], tensors[1::2], strict=True)),
        "series": _stack(_series_rows(tensor, motion, gradient) for tensor in tensors),
    }
    for name, columns in tables.items():
        for first in range(0, iterations, RANGE_LENGTH):
            last = min(first + RANGE_LENGTH, iterations)
            chosen = (columns["iteration"] >= first) & (columns["iteration"] < last)
            part = {key: value[chosen] for key, value in columns.items()}
            store.write_part(name, part, run, split, part_name(first, last))


def _class_gradients(random: np.random.Generator, gradient: Array, classes: int) -> dict[int, Array]:
    """Divide the gradient into those of the classes; class −1 is the whole."""
    if not classes:
        return {-1: gradient}
    noise = 0.3 * gradient.std() * random.standard_normal((classes, *gradient.shape)) * (gradient != 0)
    shares = gradient / classes + noise - noise.mean(0)
    return {-1: gradient, **dict(enumerate(shares))}


def _computation(iterations: int) -> dict[str, Any]:
    """The settings of a computation."""
    return {
        "rule": "paper", "tolerance": 1e-3, "max_pieces": 32, "normalization": "batch", "batch_size": 1000,
        "examples": 1000, "fingerprint": "0" * 64, "dtype": "float32", "sample_seed": 0, "range_length": RANGE_LENGTH,
        "iterations": iterations, "torch_version": "0", "package_version": "0",
    }  # fmt: skip


def _iterations(random: np.random.Generator, allocated: dict[int, Array]) -> dict[str, Array]:
    """The loss before and after each step, which is what was allocated and a small residual."""
    rows = []
    for label, change in allocated.items():
        residual = _RESIDUAL * random.standard_normal(len(change))
        loss = FIRST_LOSS / (1 if label < 0 else len(allocated) - 1) + np.append(0.0, np.cumsum(change + residual))
        time = np.arange(len(change))
        columns = {"iteration": time, "iteration_next": time + 1, "class": label, "loss_before": loss[:-1]}
        columns |= {"loss_after": loss[1:], "loss_change": np.diff(loss), "allocated": change}
        columns |= {"residual": np.diff(loss) - change, "error_estimate": np.abs(residual), "rule": "paper"}
        rows.append(columns | {"pieces": 1, "gradient_evaluations": 3, "status": "ok"})
    return _stack(rows)


def _layer_rows(tensor: Tensor, motion: Motion, gradient: Array, label: int) -> dict[str, Any]:
    """One tensor in every step."""
    step, slope = motion.step[:, tensor.where], gradient[:, tensor.where]
    lca = step * slope
    parts = {name: (getattr(motion, name)[:, tensor.where] * slope).sum(1) for name in ("momentum", "decay", "fresh")}
    return {
        "iteration": np.arange(len(lca)), "class": label, "layer": tensor.layer, "tensor": tensor.name,
        "kind": tensor.kind, "lca": lca.sum(1), "lca_helping": np.minimum(lca, 0).sum(1),
        "lca_hurting": np.maximum(lca, 0).sum(1), "n_helping": (lca < 0).sum(1), "n_hurting": (lca > 0).sum(1),
        "n_zero": (lca == 0).sum(1), "step_norm2": (step**2).sum(1), "gradient_norm2": (slope**2).sum(1),
        "error_estimate": np.full(len(lca), _RESIDUAL), "lca_momentum": parts["momentum"],
        "lca_decay": parts["decay"], "lca_gradient": parts["fresh"],
    }  # fmt: skip


def _unit_rows(weight: Tensor, bias: Tensor, lca: Array) -> dict[str, Any]:
    """The units of one layer in every step: rows of the weight, and the bias."""
    total = lca[:, weight.where].reshape(len(lca), *weight.shape).sum(2) + lca[:, bias.where]
    time, unit = np.indices(total.shape)
    return {"iteration": time.ravel(), "layer": weight.layer, "unit": unit.ravel(), "lca": total.ravel()}


def _series_rows(tensor: Tensor, motion: Motion, gradient: Array) -> dict[str, Any]:
    """The sampled parameters of one tensor in every step."""
    sample = np.arange(tensor.size)
    if tensor.size > SAMPLE:
        sample = np.sort(np.random.default_rng(0).choice(tensor.size, SAMPLE, replace=False))
    arrays = {"weight": motion.weight, "step": motion.step, "path_gradient": gradient, "lca": motion.step * gradient}
    time, index = (grid.ravel() for grid in np.meshgrid(np.arange(len(gradient)), sample, indexing="ij"))
    values = {name: array[:, tensor.where][:, sample].ravel().astype(np.float32) for name, array in arrays.items()}
    return {"iteration": time, "layer": tensor.layer, "tensor": tensor.name, "index": index, **values}


def _parameters(tensors: list[Tensor], step: Array, gradient: Array) -> dict[str, Array]:
    """Every parameter over all steps."""
    lca = step * gradient
    return {
        "tensor": np.repeat([tensor.name for tensor in tensors], [tensor.size for tensor in tensors]),
        "index": np.concatenate([np.arange(tensor.size) for tensor in tensors]),
        "lca": lca.sum(0), "lca_helping": np.minimum(lca, 0).sum(0), "lca_hurting": np.maximum(lca, 0).sum(0),
        "n_helping": (lca < 0).sum(0), "n_hurting": (lca > 0).sum(0), "step_flips": _flips(step),
        "gradient_flips": _flips(gradient),
    }  # fmt: skip


def _flips(values: Array) -> Array:
    """Count sign changes between successive non-zero values, down each column."""
    rows = np.arange(len(values))[:, None]
    latest = np.maximum.accumulate(np.where(values != 0, rows, 0), axis=0)
    signs = np.take_along_axis(np.sign(values), latest, 0)
    return (signs[1:] * signs[:-1] < 0).sum(0)


def _histogram(tensors: list[Tensor], lca: Array) -> dict[str, Array]:
    """The signed-logarithmic bins of every layer."""
    rows = []
    for weight, bias in zip(tensors[::2], tensors[1::2], strict=True):
        values = lca[:, weight.offset : bias.offset + bias.size].ravel()
        bins, place = np.unique(bin_numbers(values), return_inverse=True)
        lower, upper = bin_edges(bins)
        columns = {"layer": weight.layer, "bin": bins, "lower": lower, "upper": upper}
        rows.append(columns | {"count": np.bincount(place), "lca": np.bincount(place, values)})
    return _stack(rows)


def _stack(tables: Any) -> dict[str, Array]:
    """Put tables below each other; a single value fills its column."""
    whole = [{k: np.broadcast_to(v, _rows(table)) for k, v in table.items()} for table in tables]
    return {name: np.concatenate([table[name] for table in whole]) for name in whole[0]}


def _rows(table: dict[str, Any]) -> int:
    """Rows of a table of arrays and single values."""
    return max(len(value) for value in table.values() if isinstance(value, np.ndarray))
