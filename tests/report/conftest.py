import matplotlib as mpl
import pytest
from report import made_up

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
