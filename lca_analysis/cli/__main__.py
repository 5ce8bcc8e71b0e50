"""``python -m lca_analysis.cli``: the ``lca`` command of this very environment."""

from lca_analysis.cli.entry import main

main()
