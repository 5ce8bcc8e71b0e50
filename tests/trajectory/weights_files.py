"""Weights files as the code of Lan et al. writes them, made from PyTorch tensors by index arithmetic."""

import itertools

import h5py
import numpy as np


def to_tensorflow(array):
    """Store a PyTorch weight input-first: element by element, so that no transposition is shared with the importer."""
    if array.ndim == 2:
        shape = array.shape[1], array.shape[0]
        stored = np.empty(shape, array.dtype)
        for i, j in itertools.product(*map(range, shape)):
            stored[i, j] = array[j, i]
        return stored
    if array.ndim == 4:
        shape = *array.shape[2:], array.shape[1], array.shape[0]
        stored = np.empty(shape, array.dtype)
        for y, x, i, o in itertools.product(*map(range, shape)):
            stored[y, x, i, o] = array[o, i, y, x]
        return stored
    return array


def tensorflow_name(name):
    layer, _, leaf = name.rpartition(".")
    return f"{layer.replace('.', '/')}/{'kernel' if leaf == 'weight' else leaf}:0"


def write_weights_file(path, points, dtype="f8", names=tensorflow_name, unwritten=0, **storage):
    """Write points (dicts of arrays by PyTorch name) in the authors' layout."""
    stored = [{name: to_tensorflow(array) for name, array in point.items()} for point in points]
    rows = [np.concatenate([array.reshape(-1) for array in point.values()]) for point in stored]
    with h5py.File(path, "w") as file:
        options = {"compression": "gzip"} | storage
        data = file.create_dataset("all_weights", (len(rows) + unwritten, rows[0].size), dtype, **options)
        for place, row in enumerate(rows):
            data[place] = row
        file.attrs["var_names"] = np.bytes_(";".join(names(name) for name in stored[0]))
        file.attrs["var_shapes"] = np.bytes_(";".join(str(array.shape) for array in stored[0].values()))
    return path
