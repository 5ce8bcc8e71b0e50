"""The public names: there, documented, fast to import, and free of torch until they need it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import lca_analysis as lca
from lca_analysis.errors import NotFoundError

PUBLIC = {
    "Problem",
    "Recorder",
    "analyze",
    "batch",
    "build_problem",
    "compare",
    "compute",
    "example_lca",
    "import_checkpoints",
    "import_hdf5",
    "open_run",
    "open_store",
    "report",
    "train",
    "verify",
}


def test_names_are_the_contract_s():
    assert set(lca.__all__) - {"__version__"} == PUBLIC
    source = Path(lca.__file__).read_text()
    assert set(re.findall(r"import \w+ as (\w+)", source)) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_name_is_callable_and_documented(name):
    assert callable(getattr(lca, name))
    assert getattr(lca, name).__doc__


def test_report_is_callable_again_and_again(tmp_path):
    for _ in range(2):
        with pytest.raises(NotFoundError, match="nowhere"):
            lca.report(tmp_path / "nowhere", tmp_path / "out")


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute"):
        _ = lca.nothing


def loaded(statement):
    script = f"import sys; {statement}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded("import lca_analysis") & {"torch", "pandas", "pyarrow", "numpy", "matplotlib"}


def test_reading_a_run_needs_no_torch():
    assert not loaded("import lca_analysis; lca_analysis.open_run") & {"torch", "pandas", "pyarrow", "matplotlib"}


def test_reading_tables_and_analysing_needs_no_torch():
    modules = loaded("import lca_analysis; lca_analysis.open_store; lca_analysis.analyze")
    assert "torch" not in modules  # arch, the bootstrap library, brings matplotlib itself


def test_the_command_line_s_help_needs_no_torch():
    assert not loaded("from lca_analysis.cli.entry import lca") & {"torch", "pandas", "matplotlib"}
