import matplotlib as mpl
import pytest
from report import made_up
from synthetic_store import synthetic_store

from lca_analysis.analysis import analyze
from lca_analysis.report import report

SIZES = (3, 21, 60)


@pytest.fixture(autouse=True)
def untouched_settings():
    """Every test must leave matplotlib's settings as they were."""
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before


@pytest.fixture(scope="session")
def made():
    """The made-up tables by number of layers."""
    cache = {}

    def make(layers):
        if layers not in cache:
            cache[layers] = made_up.tables(layers)
        return cache[layers]

    return make


@pytest.fixture(scope="session")
def store_of(tmp_path_factory):
    """Made-up stores by number of layers, with results of the common tables."""
    cache = {}

    def make(layers):
        if layers not in cache:
            path = tmp_path_factory.mktemp(f"store{layers}")
            cache[layers] = made_up.write_store(path, layers, extra=made_up.common_results(layers))
        return cache[layers]

    return make


@pytest.fixture(scope="session")
def analyzed(tmp_path_factory):
    """A store of three layers, of which the last hurts, with its analyses."""
    store = synthetic_store(tmp_path_factory.mktemp("whole"), iterations=120)
    analyze(store, progress=False)
    return store


@pytest.fixture(scope="session")
def analyzed_page(analyzed, tmp_path_factory):
    """The page of that store."""
    return report(analyzed, tmp_path_factory.mktemp("analyzed"), progress=False)[0]
