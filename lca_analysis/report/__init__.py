"""The report: figures and pages from the store's tables."""

from lca_analysis.report.build import report

__all__ = ["report"]
