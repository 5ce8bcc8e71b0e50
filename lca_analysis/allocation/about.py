"""The tables that say what a run is: `runs`, `layers_index`, `parameters_index`."""

import json
from pathlib import Path
from typing import Any

from lca_analysis.allocation.layout import Layout
from lca_analysis.store import Store
from lca_analysis.trajectory import Manifest, Run, describe

RUN_TABLES = ("layers_index", "parameters_index", "runs")


def write_run_tables(run: Run, layout: Layout, store: Store, name: str) -> None:
    """Write the tables that are kept once per run.

    Parameters
    ----------
    run : Run
        The run.
    layout : Layout
        Of its parameters.
    store : Store
        Where to.
    name : str
        Name of the run in the store.
    """
    store.write_part("layers_index", _layers(layout), name)
    store.write_part("parameters_index", _tensors(layout), name)
    store.write_part("runs", _run(run, layout), name)


def _run(run: Run, layout: Layout) -> dict[str, Any]:
    """Describe the run in one row."""
    manifest, facts = run.manifest, describe(run)
    group: dict[str, Any] = manifest.optimizer.groups[0] if manifest.optimizer.groups else {}
    momentum = group.get("momentum", (group.get("betas") or [None])[0])
    parameters = [place.tensor.size for place in layout.places if place.tensor.role == "parameter"]
    return {
        "run_id": [manifest.run_id],
        "path": [Path(run.path).name],
        "problem": [manifest.problem.target if manifest.problem else ""],
        "arguments": [_json(manifest.problem.arguments if manifest.problem else {})],
        "parameters": [sum(parameters)],
        "tensors": [len(parameters)],
        "iterations": [len(run.iterations) - 1],
        "optimizer": [manifest.optimizer.name],
        "learning_rate": [group.get("lr")],
        "momentum": [momentum],
        "weight_decay": [group.get("weight_decay")],
        "seed": [_seed(manifest)],
        "group": [manifest.tags.get("group")],
        "tags": [_json(manifest.tags)],
        "lossless": [manifest.recording.lossless],
        "error_fraction": [manifest.recording.error_fraction],
        "preset": [manifest.recording.preset],
        "every": [manifest.recording.every],
        "longest_step": [facts["longest_step"]],
        "source": [facts["source"]],
        "cautions": [_json(facts["cautions"])],
        "complete": [run.complete],
        "created": [manifest.created],
        "versions": [_json(manifest.versions)],
    }


def _seed(manifest: Manifest) -> int | None:
    """Give the seed of training, where it fits a column."""
    seed = manifest.seeds.get("train", manifest.seeds.get("torch"))
    return seed if seed is not None and abs(seed) < 2**63 else None


def _layers(layout: Layout) -> dict[str, Any]:
    """Describe each layer in a row."""
    layers = [layout.of_layer(layer) for layer in layout.layers]
    return {
        "layer": layout.layers,
        "depth": list(range(len(layers))),
        "kind": [places[0].tensor.module for places in layers],
        "tensors": [len(places) for places in layers],
        "parameters": [sum(place.tensor.size for place in places) for places in layers],
        "units": [layout.units(layer) for layer in layout.layers],
    }


def _tensors(layout: Layout) -> dict[str, Any]:
    """Describe each parameter tensor in a row."""
    tensors = [place.tensor for place in layout.places]
    return {
        "tensor": [tensor.name for tensor in tensors],
        "layer": [tensor.layer for tensor in tensors],
        "depth": [layout.layers.index(tensor.layer) for tensor in tensors],
        "kind": [tensor.kind for tensor in tensors],
        "shape": [list(tensor.shape) for tensor in tensors],
        "parameters": [tensor.size for tensor in tensors],
        "offset": [place.start for place in layout.places],
        "trainable": [tensor.trainable for tensor in tensors],
    }


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
