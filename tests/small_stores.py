"""Stores of many short runs, written row by row: what a run came to is known in advance."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from lca_analysis.store import Store, open_store

LAYERS = ("first", "last")


def write_run(
    store: Store | Path,
    run: str,
    net: dict[str, float],
    *,
    seed: int | None = 0,
    group: str | None = "plain",
    iterations: int = 4,
    start: float = 2.0,
    **changes: Any,
) -> Store:
    """Write a run whose layers have the given net LCA over all iterations, and 3 of 4 parameters helping."""
    opened = store if isinstance(store, Store) else open_store(store, create=True)
    row: dict[str, Any] = {
        "run_id": "0" * 32, "path": run, "problem": "toy", "arguments": json.dumps({"seed": seed, "width": 3}),
        "parameters": 8, "tensors": 2, "iterations": iterations, "optimizer": "SGD", "learning_rate": 0.1,
        "momentum": 0.9, "weight_decay": 0.0, "seed": seed, "group": group, "tags": "{}", "lossless": True,
        "preset": "small", "every": 1, "complete": True, "created": "2024-01-01", "versions": "{}",
    }  # fmt: skip
    row |= changes
    opened.write_part("runs", {name: [value] for name, value in row.items()}, run)
    time, place = (grid.ravel() for grid in np.indices((iterations, len(net))))
    names = np.array(list(net), object)[place]
    weight = (1 + time) / (np.arange(iterations) + 1).sum()  # not the same in every iteration
    lca = np.array(list(net.values()))[place] * weight
    layers = {
        "iteration": time, "class": -1, "layer": names, "tensor": names + ".weight", "kind": "weight", "lca": lca,
        "lca_helping": np.minimum(lca, 0), "lca_hurting": np.maximum(lca, 0), "n_helping": 3, "n_hurting": 1,
        "n_zero": 0, "step_norm2": 1.0, "gradient_norm2": 1.0, "lca_momentum": 2 * lca, "lca_decay": 0.0 * lca,
        "lca_gradient": -lca,
    }  # fmt: skip
    opened.write_part("layers", layers, run, "train")
    change = lca.reshape(iterations, -1).sum(1)
    loss = start + np.append(0.0, np.cumsum(change))
    steps = {
        "iteration": np.arange(iterations), "iteration_next": np.arange(iterations) + 1, "class": -1,
        "loss_before": loss[:-1], "loss_after": loss[1:], "loss_change": change, "allocated": change, "residual": 0.0,
        "rule": "paper", "pieces": 1, "gradient_evaluations": 3, "status": "ok",
    }  # fmt: skip
    opened.write_part("iterations", steps, run, "train")
    index = {"layer": list(net), "depth": range(len(net)), "kind": "Linear", "tensors": 1, "parameters": 4, "units": 2}
    opened.write_part("layers_index", index, run)
    finish(opened, run, iterations)
    return opened


def finish(store: Store, run: str, iterations: int) -> None:
    """Mark a computation as done."""
    computation = {
        "rule": "paper", "tolerance": 1e-3, "max_pieces": 32, "normalization": "batch", "batch_size": 10,
        "examples": 10, "fingerprint": "0" * 64, "dtype": "float32", "sample_seed": 0, "range_length": 10,
        "iterations": [iterations], "torch_version": "0", "package_version": "0",
    }  # fmt: skip
    store.write_part("computations", computation, run, "train")
