"""What was found, in sentences that lead to figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from lca_analysis.report.catalogue import Drawing
from lca_analysis.report.sources import Sources


@dataclass(frozen=True)
class Statement:
    """A sentence, and the figure that shows it."""

    text: str
    figure: str
    title: str


def statements(sources: Sources, drawings: Sequence[Drawing]) -> list[Statement]:
    """Write what was found."""
    return []
