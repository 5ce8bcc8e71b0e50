"""The analyses: array functions (numpy in, numpy out), and from a store's tables to its tables of results."""

from lca_analysis.analysis.comparison import Compared, compare
from lca_analysis.analysis.options import AnalysisOptions
from lca_analysis.analysis.pipeline import analyze
from lca_analysis.analysis.plain_words import Finding, findings

__all__ = ["AnalysisOptions", "Compared", "Finding", "analyze", "compare", "findings"]
