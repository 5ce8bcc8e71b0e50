"""The figures at 3, 21 and 60 layers: nothing is cut off, nothing overlaps, and each shows all that it was given."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation
from report import made_up
from report.layout import TOUCH, cut_off, texts

from lca_analysis.report.catalogue import DRAWINGS

NAMES = [drawing.name for drawing in DRAWINGS]
TITLE_GAP = 1.5
"""Space between titles, in sizes of their font: less, and they read as one."""
PANELS = {
    "loss": ["loss", "|residual| (loss)"], "layers": ["layer, input to output", ""],
    "cumulative": ["cumulative LCA (loss)\nhelping < 0 < hurting"] * 2,
    "helping": ["parameters that help (%)", "layer, input to output"],
    "parameter_helping": ["parameters", "layer, input to output"],
    "histogram": ["values", "values (log axis)", "LCA in the bin (loss)"],
    "phase": ["layer, input to output", ""], "class_peaks": ["layer, input to output"],
    "traces": ["weight", "", "gradient (loss/weight)", "", "LCA (loss)\nhelping < 0 < hurting", ""],
    "spectra": ["layer, input to output", "", ""], "lag": ["layer, input to output", ""],
    "parts": ["layer, input to output", "", ""], "peaks": ["layers", "layer, input to output"],
    "synchronization": ["layer, input to output"],
}  # fmt: skip


@pytest.fixture(params=[3, 21, 60])
def drawn(request, report_of):
    """The number of layers, and the figures by name."""
    return request.param, report_of(request.param)[1]


def panels(figure):
    """Give the axes that hold data, without the scales of colours."""
    return [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_cut_off(drawn, name):
    assert cut_off(drawn[1][name]) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_text_lies_on_another(drawn, name):
    boxes = [(text, box.padded(-TOUCH / 2)) for text, box in texts(drawn[1][name])]
    for (first, one), (second, other) in combinations(boxes, 2):
        if one.width <= 0 or other.width <= 0:
            continue
        rotated = {first.get_rotation(), second.get_rotation()} - {0.0, 90.0}
        assert rotated or not one.overlaps(other), (first.get_text(), second.get_text())


@pytest.mark.parametrize("name", NAMES)
def test_titles_side_by_side_stay_apart(drawn, name):
    figure = drawn[1][name]
    renderer = FigureCanvasAgg(figure).get_renderer()
    titles = [ax._left_title for ax in figure.axes if ax._left_title.get_text()]
    for first, second in combinations(titles, 2):
        one, other = first.get_window_extent(renderer), second.get_window_extent(renderer)
        gap = max(one.x0, other.x0) - min(one.x1, other.x1)
        em = first.get_fontsize() * figure.dpi / 72
        side_by_side = min(one.y1, other.y1) > max(one.y0, other.y0)
        assert not side_by_side or gap >= TITLE_GAP * em, (first.get_text(), second.get_text(), gap / em)


@pytest.mark.parametrize("name", NAMES)
def test_panels_do_not_overlap(drawn, name):
    for first, second in combinations(drawn[1][name].axes, 2):
        one, other = first.get_window_extent(), second.get_window_extent()
        assert not one.padded(-1).overlaps(other.padded(-1)), (first.get_title(), second.get_title())


@pytest.mark.parametrize("name", sorted(PANELS))
def test_axes_say_what_they_show(drawn, name):
    assert [ax.get_ylabel() for ax in panels(drawn[1][name])] == PANELS[name]
    assert all(ax.get_xlabel() for ax in panels(drawn[1][name])[-1:] if name != "synchronization")


@pytest.mark.parametrize(
    "name", ["layers", "helping", "parameter_helping", "spectra", "phase", "lag", "parts", "peaks", "class_peaks"]
)
def test_every_layer_has_its_row(drawn, name):
    layers, figures = drawn
    [rows] = {len(ax.get_yticks()) for ax in panels(figures[name]) if ax.get_ylabel() == "layer, input to output"}
    assert rows == layers


def test_every_layer_has_its_line_and_the_outermost_their_names(drawn):
    layers, figures = drawn
    for ax in panels(figures["cumulative"])[:2]:
        assert len([line for line in ax.get_lines() if len(line.get_xdata()) == made_up.T]) == layers
        names = [text for text in ax.texts if isinstance(text, Annotation)]
        assert len(names) == min(layers, 8)


def test_every_unit_has_its_row_of_pixels(drawn):
    layers, figures = drawn
    pictures = [ax.images[0].get_array() for ax in panels(figures["units"]) if ax.images]
    assert len(pictures) == layers
    assert {picture.shape for picture in pictures} == {(4 if layers == 60 else 11 if layers == 21 else 12, made_up.T)}


def test_every_iteration_is_within_view(drawn):
    for name in ("loss", "cumulative", "helping", "units", "peaks"):
        for ax in panels(drawn[1][name]):
            low, high = ax.get_xlim()
            assert low <= 3, name
            assert high >= made_up.T - 4, name


def test_every_pair_of_layers_has_its_two_cells(drawn):
    layers, figures = drawn
    cells = panels(figures["synchronization"])[0].images[0].get_array()
    assert cells.shape == (layers, layers)
    assert np.ma.count_masked(cells) == layers
