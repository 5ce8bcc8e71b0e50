"""Small runs with awkward numbers in them, and writing and reading them whole."""

import numpy as np

from lca_analysis.trajectory import Manifest, RecordingPolicy, RunWriter, TensorInfo, open_run
from lca_analysis.trajectory.words import FORMATS

RUN_ID = "0123456789abcdef0123456789abcdef"


def tensor(name, shape, dtype="float32", role="parameter"):
    return TensorInfo(name, tuple(shape), dtype, name.split(".")[0], "weight", "Linear", role, role == "parameter")


def manifest(tensors, preset="small", segment_length=4, **fields):
    policy = RecordingPolicy(1, preset, True, segment_length)
    return Manifest(
        run_id=RUN_ID, name="test", created="2020-01-01T00:00:00+00:00", tensors=tensors, recording=policy, **fields
    )


def write(path, described, points, complete=True, scalars=None, hyperparameters=None):
    """Write points (dicts of arrays) at iterations 0, 1, 2, …."""
    writer = RunWriter.create(path, described)
    for iteration, weights in enumerate(points):
        logged = scalars[iteration] if scalars else None
        groups = hyperparameters[iteration] if hyperparameters else None
        writer.append(iteration, weights, groups, logged)
    writer.close(complete)
    return path


def same_bits(left, right):
    """Whether two arrays agree in dtype, shape, and every bit."""
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def read_back(path, points):
    """Check that a run holds exactly these points."""
    found = list(open_run(path).walk())
    assert [point.iteration for point in found] == list(range(len(points)))
    for point, weights in zip(found, points, strict=True):
        assert point.weights.keys() == weights.keys()
        for name, array in weights.items():
            assert same_bits(point.weights[name], array), (point.iteration, name)


def random_walk(size, points, seed=0, momentum=0.9):
    """A float32 trajectory like that of SGD with momentum; a third of the elements never move."""
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.normal(-9, 2, size)) * (rng.random(size) > 1 / 3)
    weights, step = rng.normal(0, 0.05, size).astype(np.float32), np.zeros(size, np.float32)
    walk = []
    for _ in range(points):
        walk.append(weights)
        gradient = rng.normal(0, scale, size) * (rng.random(size) > 0.4)
        step = (momentum * step + gradient).astype(np.float32)
        weights = weights + step
    return walk


def special_words(dtype):
    """Bit patterns that have gone wrong somewhere: NaNs with payloads, ±0, ±inf, subnormals, extremes."""
    form = FORMATS[dtype]
    if form.kind == "integer":
        limits = (0, 1) if dtype == "bool" else (np.iinfo(form.storage).min, np.iinfo(form.storage).max, 0, 1)
        return np.array(limits, form.storage)
    bits = 8 * form.word.itemsize
    top, infinity = (
        1 << (bits - 1),
        {"float64": 0x7FF << 52, "float32": 0xFF << 23, "float16": 0x7C00, "bfloat16": 0x7F80}[dtype],
    )
    words = [0, 1, infinity - 1, infinity, infinity + 1, infinity | (infinity >> 1), top - 1]
    return np.array([word | sign for word in words for sign in (0, top)], form.word).view(form.storage)
