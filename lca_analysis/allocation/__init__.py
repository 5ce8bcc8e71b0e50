"""The allocation engine: gradients over whole splits, quadrature, reducers, scheduling, resume."""

from lca_analysis.allocation.compute import compute
from lca_analysis.allocation.examples import ExampleLca, example_lca
from lca_analysis.allocation.execution import Execution, one_thread_worker
from lca_analysis.allocation.options import ComputeOptions
from lca_analysis.allocation.quadrature import RULES, QuadratureRule
from lca_analysis.allocation.summary import SplitSummary, Summary

__all__ = [
    "RULES",
    "ComputeOptions",
    "ExampleLca",
    "Execution",
    "QuadratureRule",
    "SplitSummary",
    "Summary",
    "compute",
    "example_lca",
    "one_thread_worker",
]
