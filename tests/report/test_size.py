"""The demo's report is small enough to be sent by mail, and to be committed."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_BYTES = 5_000_000


@pytest.fixture(params=["reports/mnist_fc", "demo/report/mnist_fc"])
def folder(request):
    """The report that is committed, and the one that ``make demo`` has just written; in CI it has to be there."""
    found = ROOT / request.param
    if not found.is_dir() and not os.environ.get("CI"):
        pytest.skip(f"no {request.param}; make demo writes it")
    assert (found / "index.html").is_file(), f"make demo, which CI runs before the tests, did not write {found}"
    return found


def test_the_demo_s_report_is_small_page_figures_and_tables_together(folder):
    sizes = {file.relative_to(folder): file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    assert sum(sizes.values()) <= MOST_BYTES, sorted(sizes.items(), key=lambda item: -item[1])[:5]
