"""Loss Change Allocation: see what every parameter did to the loss.

The public names load on first use, so that ``import lca_analysis`` stays fast and needs no torch
until a run is recorded or computed.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lca_analysis.allocation import compute as compute
    from lca_analysis.allocation import example_lca as example_lca
    from lca_analysis.analysis import analyze as analyze
    from lca_analysis.analysis import compare as compare
    from lca_analysis.batches import batch as batch
    from lca_analysis.problems import Problem as Problem
    from lca_analysis.problems import build_problem as build_problem
    from lca_analysis.problems import train as train
    from lca_analysis.recording import Recorder as Recorder
    from lca_analysis.recording import import_checkpoints as import_checkpoints
    from lca_analysis.report import report as report
    from lca_analysis.store import open_store as open_store
    from lca_analysis.trajectory import import_hdf5 as import_hdf5
    from lca_analysis.trajectory import open_run as open_run
    from lca_analysis.trajectory import verify as verify

__version__ = version("lca-analysis")

_ROOMS = {
    "Recorder": "recording",
    "import_checkpoints": "recording",
    "import_hdf5": "trajectory",
    "open_run": "trajectory",
    "verify": "trajectory",
    "Problem": "problems",
    "build_problem": "problems",
    "train": "problems",
    "compute": "allocation",
    "example_lca": "allocation",
    "open_store": "store",
    "analyze": "analysis",
    "compare": "analysis",
    "report": "report",
    "batch": "batches",
}

__all__ = ["__version__", *sorted(_ROOMS)]


def __getattr__(name: str) -> Any:
    # TYPE_CHECKING names above and this table are the same public names; a test compares them.
    if name in _ROOMS:
        return getattr(import_module(f"lca_analysis.{_ROOMS[name]}"), name)
    raise AttributeError(f"module 'lca_analysis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
