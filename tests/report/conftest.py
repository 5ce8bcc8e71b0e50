from functools import cache

import matplotlib as mpl
import pytest
from report import made_up
from synthetic_store import synthetic_store

from lca_analysis.analysis import Finding, analyze
from lca_analysis.report import build, report

FINDINGS = [
    Finding("hurting", "<em>fc3</em> hurts", "Layer fc3 hurt & <b>more</b>.", "layers", 0.01, True),
    Finding("helping", "Percent helping", "No evidence.", "nowhere", 0.2, False),
]
"""What the analyses say of made-up results, which are not whole enough for theirs."""


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
def report_of(store_of, tmp_path_factory):
    """Pages of made-up stores by number of layers, with their figures by name as they were rendered."""

    @cache
    def write(layers):
        figures, render = [], build.render
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lca_analysis.report.statements.findings", lambda store, run, split: FINDINGS)
            patch.setattr(build, "render", lambda figure: figures.append(figure) or render(figure))
            [page] = report(store_of(layers), tmp_path_factory.mktemp("report"), progress=False)
        return page, dict(zip([drawing.name for drawing in build.DRAWINGS], figures, strict=True))

    return write


@pytest.fixture(scope="session")
def analyzed(tmp_path_factory):
    """A store of three layers, of which the last hurts, with its analyses."""
    store = synthetic_store(tmp_path_factory.mktemp("whole"), iterations=120, classes=2)
    analyze(store, progress=False)
    return store


@pytest.fixture(scope="session")
def analyzed_page(analyzed, tmp_path_factory):
    """The page of that store."""
    return report(analyzed, tmp_path_factory.mktemp("analyzed"), progress=False)[0]
