"""Batches: many runs from recording to report, in parallel, going on where an earlier call stopped."""

from lca_analysis.batches.batch import BatchResult, batch
from lca_analysis.batches.outcome import Outcome
from lca_analysis.batches.settings import RunSettings

__all__ = ["BatchResult", "Outcome", "RunSettings", "batch"]
