import pytest
from synthetic_store import synthetic_store

from lca_analysis.analysis import analyze
from lca_analysis.store import Store


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A synthetic store of 400 iterations, 3 layers and 2 classes, with its results."""
    store = synthetic_store(tmp_path_factory.mktemp("analysed"), iterations=400, units=12, classes=2)
    analyze(store, progress=False)
    return store
