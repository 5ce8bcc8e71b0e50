"""What was found, in sentences that lead to figures."""

from dataclasses import dataclass

from lca_analysis.analysis import findings
from lca_analysis.errors import NotFoundError
from lca_analysis.report.catalogue import DRAWINGS
from lca_analysis.report.sources import Sources


@dataclass(frozen=True)
class Statement:
    """A sentence about the run, and the figure that shows it.

    Attributes
    ----------
    title : str
        A few words.
    text : str
        The sentence, with its numbers.
    figure : str
        Name of the figure; empty where the page has none of that name.
    figure_title : str
        Its heading.
    holds : bool
        Whether it rests on a significant test.
    """

    title: str
    text: str
    figure: str
    figure_title: str
    holds: bool


def statements(sources: Sources, split: str) -> list[Statement]:
    """Write what the analyses found in a split.

    Parameters
    ----------
    sources : Sources
        The run's tables.
    split : str
        Which split.

    Returns
    -------
    list of Statement
        In the order of the analyses; empty for a split that lacks results of one of them.
    """
    titles = {drawing.name: drawing.title for drawing in DRAWINGS}
    try:
        found = findings(sources.store, sources.run, split)
    except NotFoundError:
        return []
    return [
        Statement(
            finding.title,
            finding.text,
            finding.figure if finding.figure in titles else "",
            titles.get(finding.figure, ""),
            finding.significant,
        )
        for finding in found
    ]
