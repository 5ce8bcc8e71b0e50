"""Training frameworks that are not installed."""

import importlib
import sys

import pytest

from lca_analysis.errors import MissingDependencyError


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("lightning", "lightning.pytorch", "lightning"),
        ("huggingface", "transformers", "transformers"),
        ("huggingface", "accelerate", "transformers"),
    ],
)
def test_the_error_names_the_extra(monkeypatch, module, missing, extra):
    monkeypatch.delitem(sys.modules, f"lca_analysis.recording.{module}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingDependencyError, match=rf"pip install 'lca-analysis\[{extra}\]'"):
        importlib.import_module(f"lca_analysis.recording.{module}")
