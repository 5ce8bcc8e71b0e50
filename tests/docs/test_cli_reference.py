"""The reference of the command line is what the commands say of themselves."""

from pathlib import Path

from lca_analysis.cli.entry import VERBS
from lca_analysis.cli.reference import reference

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_document_is_current():
    assert DOCUMENT.read_text() == reference(), "run: python -m lca_analysis.cli.reference > docs/cli.md"


def test_every_verb_has_its_section():
    headings = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("## lca")]
    assert {f"## lca {verb}" for verb in VERBS} <= set(headings)
