"""Figures on a dark page: what can be seen there stays as it is, and the rest becomes lighter."""

import re

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from lca_analysis.report.dark import CARD, contrast, follow_scheme, on_dark
from lca_analysis.report.figures.layers import figure_layers
from lca_analysis.report.figures.peaks import peak_colors
from lca_analysis.report.figures.style import DEPTH_COLORS, HELPING, HURTING, INK, MUTED, SECOND
from lca_analysis.report.saving import render


@pytest.mark.parametrize(("first", "second", "ratio"), [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48)])
def test_contrast_is_that_of_the_guidelines(first, second, ratio):
    assert contrast(first, second) == pytest.approx(ratio, abs=0.01)
    assert contrast(second, first) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize("color", [HELPING, HURTING, *(to_hex(DEPTH_COLORS(place)) for place in (0.0, 0.5, 1.0))])
def test_colours_that_mean_something_are_the_same_and_seen_on_both(color):
    assert on_dark(color.lower()) == color.lower()
    assert contrast(color, CARD) >= 3
    assert contrast(color, "#ffffff") >= 3


@pytest.mark.parametrize("color", [INK, MUTED, SECOND, "#23103f", "#000000"])
def test_colours_that_would_not_be_seen_become_lighter(color):
    assert contrast(on_dark(color.lower()), CARD) >= 3


def test_marks_stand_out_the_more_the_more_layers_share_them_on_both():
    colors = peak_colors(pd.Series(range(1, 61)))
    light = [contrast(color, "#ffffff") for color in colors[1:]]
    dark = [contrast(on_dark(color.lower()), CARD) for color in colors]
    assert light == sorted(light)
    assert dark == sorted(dark)
    assert dark[0] >= 3


def test_text_keeps_the_contrast_that_reading_needs():
    assert contrast(on_dark(INK.lower()), CARD) >= 4.5
    assert contrast(on_dark(MUTED.lower()), CARD) >= 4.5


def test_rules_stand_in_a_query_at_the_end_and_change_nothing_else(small_svg):
    dark = follow_scheme(small_svg).decode()
    assert dark.startswith(small_svg.decode().rpartition("</svg>")[0])
    [rules] = re.findall(r"<style>@media \(prefers-color-scheme: dark\) {\n(.*)\n}</style>\n</svg>\n$", dark, re.DOTALL)
    assert f'[style*="fill: {INK.lower()}"] {{ fill: #e8ecef !important }}' in rules
    assert HELPING.lower() not in rules
    assert f'path[style*="stroke: #ffffff"] {{ stroke: {CARD} !important }}' in rules  # gaps between bars


@pytest.fixture
def small_svg():
    row = {"layer": "fc", "lca_helping": -2.0, "lca_hurting": 1.0, "estimate": -1.0, "low": -2.0, "high": -0.5}
    return render(figure_layers(pd.DataFrame([row])))["svg"]
