"""scikit-learn's 1,797 handwritten digits, 8×8 pixels."""

from importlib.util import find_spec

import numpy as np
import torch

from lca_analysis.errors import MissingDependencyError
from lca_analysis.problems.images import per_class
from lca_analysis.problems.problem import Split

_VALIDATION_PER_CLASS = 30
_BRIGHTEST = 16


def digits_splits() -> dict[str, Split]:
    """Load the digits: 1,497 for training, the last 30 of each class for validation; pixels in [0, 1]."""
    if find_spec("sklearn") is None:
        raise MissingDependencyError("the digits come with scikit-learn: pip install 'lca-analysis[examples]'")
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    scaled = torch.from_numpy((images / _BRIGHTEST).astype(np.float32))
    targets = torch.from_numpy(labels.astype(np.int64))
    train, validation = per_class(labels, _VALIDATION_PER_CLASS)
    return {"train": (scaled[train], targets[train]), "validation": (scaled[validation], targets[validation])}
