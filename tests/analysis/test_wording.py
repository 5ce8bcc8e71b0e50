"""p-values in sentences, from rows as the tables hold them."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from lca_analysis.analysis.rows import Row, adjusted
from lca_analysis.analysis.wording import test_text as told

TESTS = [(0.01, 50.0), (0.03, np.nan), (0.02, 8.7)]


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (0, "Holm p = 0.02"),
        (1, "p = 0.03"),
        (2, "Holm p = 1, since 8.7 independent iterations are too few (20 needed)"),
    ],
)
def test_a_correction_and_why_there_is_none(place, sentence):
    rows = [Row("net_lca", "t", 100, estimate=1.0, p=p, effective=effective) for p, effective in TESTS]
    assert told(pd.Series(asdict(adjusted(rows, "Holm")[place]))) == sentence
