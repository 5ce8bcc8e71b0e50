"""The allocation engine: gradients over whole splits, quadrature, reducers, scheduling, resume."""

from lca_analysis.allocation.compute import compute
from lca_analysis.allocation.execution import Execution, one_thread_worker
from lca_analysis.allocation.options import ComputeOptions
from lca_analysis.allocation.quadrature import RULES, QuadratureRule
from lca_analysis.allocation.summary import SplitSummary, Summary

__all__ = [
    "RULES",
    "ComputeOptions",
    "Execution",
    "QuadratureRule",
    "SplitSummary",
    "Summary",
    "compute",
    "one_thread_worker",
]
