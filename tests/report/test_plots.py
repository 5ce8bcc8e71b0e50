"""The public plots: your axes and your style, no global state, files with real text, and the documented example."""

import inspect
import os
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import matplotlib as mpl
import matplotlib.style
import pytest
from matplotlib.figure import Figure

from lca_analysis.errors import ArgumentError
from lca_analysis.report import figures, plots

DOCUMENT = Path(__file__).parents[2] / "docs" / "figures.md"


def test_every_plot_of_the_figures_is_public():
    public = {name for name in plots.__all__ if name.startswith("plot_")}
    modules = [import_module(f"{figures.__name__}.{module.name}") for module in iter_modules(figures.__path__)]
    assert public == {name for module in modules for name in vars(module) if name.startswith("plot_")}
    for name in public:
        first, second = list(inspect.signature(getattr(plots, name)).parameters.values())[:2]
        assert (first.name, second.name, second.default) == ("frame", "ax", None)


def test_the_document_lists_every_plot_with_its_frame(analyzed):
    rows = re.findall(r"^\| `(plot_\w+)` \| (\w+) \| (\w+) \|", DOCUMENT.read_text(), re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == [name for name in plots.__all__ if name.startswith("plot_")]
    read = {figure: plots.frames(analyzed, "synthetic", figure) for figure in {figure for _, figure, _ in rows}}
    assert [frame for _, figure, frame in rows if frame not in read[figure]] == []


def test_on_your_axes_your_style_holds_and_on_new_ones_the_report_s(analyzed):
    [frame] = plots.frames(analyzed, "synthetic", "layers").values()
    with mpl.style.context(plots.PAPER):
        mine = Figure().subplots()
        assert plots.plot_layer_net(frame, mine) is mine
    assert mine._left_title.get_fontsize() == 8.0
    assert plots.plot_layer_net(frame)._left_title.get_fontsize() == 9.5


def test_an_unknown_figure_is_named(analyzed):
    with pytest.raises(ArgumentError, match="no figure 'nothing'; it has: loss, layers"):
        plots.frames(analyzed, "synthetic", "nothing")


def test_the_documented_example_runs_and_writes_real_text(analyzed, tmp_path):
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        exec(code.replace('"store"', repr(str(analyzed.path))).replace('"mine"', '"synthetic"'), {})
    finally:
        os.chdir(before)
    assert ">net LCA (loss)<" in (tmp_path / "layers.svg").read_text()
    assert b"/CIDFontType2" in (tmp_path / "layers.pdf").read_bytes()
    assert b"/Type3" not in (tmp_path / "layers.pdf").read_bytes()
