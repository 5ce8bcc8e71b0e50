"""The analyses: array functions (numpy in, numpy out), and from a store's tables to its tables of results."""

from lca_analysis.analysis.pipeline import analyze

__all__ = ["analyze"]
