"""CIFAR-10 from its binary version."""

from pathlib import Path

import numpy as np

from lca_analysis.errors import ArgumentError, CorruptError, NotFoundError
from lca_analysis.problems.images import Arrays, to_split
from lca_analysis.problems.problem import Split

TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
_HELP = (
    "put the CIFAR-10 binary version there (the archive cifar-10-binary, unpacked): "
    f"{', '.join(TRAIN_FILES)}, {TEST_FILE}"
)


def cifar_splits(folder: str | None) -> dict[str, Split]:
    """Load CIFAR-10.

    Parameters
    ----------
    folder : str
        Folder of the six files of the binary version, or its parent.

    Returns
    -------
    dict of str to Split
        "train" (all training files) and "validation" (the test file); images in [0, 1].

    Raises
    ------
    ArgumentError
        No folder is given: CIFAR-10 does not come with the package.
    NotFoundError
        A file is not there; the message lists what to put where.
    CorruptError
        A file is not made of CIFAR-10 records.
    """
    if folder is None:
        raise ArgumentError(f"CIFAR-10 does not come with the package: name a folder with data=FOLDER and {_HELP}")
    root = Path(folder)
    inner = root / "cifar-10-batches-bin"
    root = inner if inner.is_dir() else root
    parts = [_read(root / name) for name in TRAIN_FILES]
    images = np.concatenate([part[0] for part in parts])
    labels = np.concatenate([part[1] for part in parts])
    return {"train": to_split(images, labels, SHAPE), "validation": to_split(*_read(root / TEST_FILE), SHAPE)}


def _read(path: Path) -> Arrays:
    """Read one file of records: a label byte, then 3,072 bytes of one image, channel by channel."""
    if not path.is_file():
        raise NotFoundError(f"{path} does not exist; {_HELP}")
    data = np.fromfile(path, np.uint8)
    if not len(data) or len(data) % _RECORD:
        raise CorruptError(f"{path} holds {len(data)} bytes, not a whole number of records of {_RECORD} bytes")
    records = data.reshape(-1, _RECORD)
    if records[:, 0].max() > 9:
        raise CorruptError(f"{path} has a label above 9: it is not CIFAR-10")
    return records[:, 1:], records[:, 0]
