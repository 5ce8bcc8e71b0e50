"""The ``lca`` command: one thin file per verb."""

from lca_analysis.cli.entry import main

__all__ = ["main"]
