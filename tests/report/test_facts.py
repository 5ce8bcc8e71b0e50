"""What the page says of how a run was computed."""

import pandas as pd

from lca_analysis.report.facts import _untilted


def test_the_residual_is_told_as_it_would_be_without_a_tilt():
    steps = pd.DataFrame({"untilted_residual": [-4e-4, 1e-4, None]})
    said = _untilted(steps).replace("\N{NO-BREAK SPACE}", " ")
    assert "at most 4.0 × 10⁻⁴" in said
    assert said.endswith("and −3.00 × 10⁻⁴")


def test_nothing_is_said_of_rules_that_never_tilt():
    assert _untilted(pd.DataFrame({"untilted_residual": [None, None]})) == ""
    assert _untilted(pd.DataFrame({"residual": [1e-4]})) == ""
