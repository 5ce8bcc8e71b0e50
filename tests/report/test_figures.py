"""Each figure draws the columns that it is given, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from report import made_up

from lca_analysis.errors import ArgumentError
from lca_analysis.report import figures, plots
from lca_analysis.report.figures.axes import edges
from lca_analysis.report.figures.names import short_name, short_names
from lca_analysis.report.figures.style import HELPING, HURTING, LCA_COLORS, sign_color


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def colors(bars):
    return [to_hex(bar.get_facecolor()).upper() for bar in bars]


def layer_frame():
    return pd.DataFrame(
        {
            "layer": ["first", "second", "third"], "lca_helping": [-3.0, -2.0, -1.0], "lca_hurting": [1.0, 2.0, 4.0],
            "estimate": [-2.0, 0.0, 3.0], "low": [-3.0, -1.0, np.nan], "high": [-1.0, 1.0, np.nan],
            "lca_gradient": [-1.0, 1.0, 2.0], "lca_momentum": [-1.0, -1.0, 1.0], "lca_decay": [0.0, 0.0, 0.5],
        }
    )  # fmt: skip


def test_loss_draws_the_loss_and_what_was_rebuilt():
    frame = pd.DataFrame(
        {"split": "train", "iteration": [0, 1, 2], "loss": [2.0, 1.5, 1.2], "rebuilt": [2.0, 1.4, 1.1]}
    )
    drawn = lines(plots.plot_loss(frame))
    np.testing.assert_array_equal(drawn["train: loss"].get_ydata(), [2.0, 1.5, 1.2])
    np.testing.assert_array_equal(drawn["train: rebuilt from the allocated sum"].get_ydata(), [2.0, 1.4, 1.1])


@pytest.mark.parametrize(("last", "scale"), [(0.01, "log"), (1.0, "linear"), (-1.0, "linear")])
def test_loss_axis_is_logarithmic_when_the_loss_spans_decades(last, scale):
    frame = pd.DataFrame({"split": "train", "iteration": [0, 1], "loss": [2.0, last], "rebuilt": [2.0, last]})
    assert plots.plot_loss(frame).get_yscale() == scale


def test_residual_draws_sizes_and_crosses_what_missed_the_tolerance():
    frame = pd.DataFrame(
        {"split": "train", "iteration": [0, 1, 2], "residual": [-1e-4, 0.0, 2e-3], "status": ["ok", "ok", "tolerance"]}
    )
    ax = plots.plot_residual(frame, tolerance=1e-3)
    drawn = lines(ax)
    np.testing.assert_array_equal(drawn["train"].get_xydata(), [[0, 1e-4], [2, 2e-3]])
    np.testing.assert_array_equal(drawn["tolerance not met"].get_xydata(), [[2, 2e-3]])
    assert set(drawn["tolerance 0.001"].get_ydata()) == {1e-3}
    assert ax.get_yscale() == "log"


def test_residuals_of_exactly_zero_are_drawn_without_a_log_axis():
    frame = pd.DataFrame({"split": "train", "iteration": [0], "residual": [0.0], "status": ["ok"]})
    assert plots.plot_residual(frame).get_yscale() == "linear"


def test_percent_helping_draws_the_network_and_the_half(made):
    frame = made(3)["results_helping_series"]
    ax = plots.plot_percent_helping(frame)
    network = frame[frame["layer"].isna()]
    drawn = [line for line in ax.get_lines() if len(line.get_xdata()) == len(network)]
    np.testing.assert_array_equal(drawn[0].get_ydata(), network["percent_helping"])
    assert set(lines(ax)["50 %"].get_ydata()) == {50.0}
    assert colors(ax.collections) == [HELPING, HURTING]


def test_layer_helping_draws_one_row_per_layer_centred_at_half(made):
    frame = made(21)["results_helping_series"]
    ax = plots.plot_layer_helping(frame)
    rows = frame.dropna(subset=["layer"])
    picture = ax.images[0]
    for place, (_, part) in enumerate(rows.groupby("layer", sort=False)):
        np.testing.assert_array_equal(picture.get_array()[place], part["percent_helping"])
    assert picture.norm.vcenter == 50.0
    assert picture.norm(50.0) == pytest.approx(0.5)
    red, _, blue, _ = picture.cmap(1.0)
    assert blue > red


def test_parameter_helping_bars_are_the_networks_counts(made):
    frame = made(3)["results_parameter_helping"]
    ax = plots.plot_parameter_helping(frame)
    network = frame[frame["layer"].isna()]
    np.testing.assert_array_equal([bar.get_height() for bar in ax.patches], network["count"])
    np.testing.assert_allclose([bar.get_x() for bar in ax.patches], network["lower"])
    assert colors(ax.patches) == [HELPING if lower >= 50 else HURTING for lower in network["lower"]]


def test_histogram_bars_are_counts_and_sums_coloured_by_sign():
    frame = pd.DataFrame(
        {
            "bin": [-90, -80, 0, 80], "lower": [-1e-4, -1e-6, 0, 1e-6], "upper": [-1e-5, -1e-7, 0, 1e-5],
            "count": [5, 0, 7, 9], "lca": [-0.5, 0.0, 0.0, 0.25],
        }
    )  # fmt: skip
    linear, above, beneath = figures.figure_histogram(frame).axes
    assert [bar.get_height() for bar in linear.patches] == [5, 7, 9]
    assert linear.get_yscale() == "linear"
    assert [bar.get_height() for bar in above.patches] == [5, 7, 9]
    assert [bar.get_height() for bar in beneath.patches] == [-0.5, 0.0, 0.25]
    assert colors(above.patches) == [HELPING, sign_color(0).upper(), HURTING]
    assert above.get_yscale() == "log"
    assert [bar.get_x() + 0.5 for bar in above.patches] == sorted(bar.get_x() + 0.5 for bar in above.patches)


def test_histogram_ticks_stand_at_the_edges_that_they_name(made):
    ax = plots.plot_histogram_count(made(3)["histogram"].query("layer == 'fc1'"))
    places = dict(zip([label.get_text() for label in ax.get_xticklabels()], ax.get_xticks(), strict=True))
    assert places["0"] == 0
    named = [text for text in places if "10^{-6}" in text]
    rows = made(3)["histogram"].query("layer == 'fc1' and count > 0")
    bars = dict(zip(rows["bin"], ax.patches, strict=True))
    above = rows.loc[np.isclose(rows["lower"], 1e-6, rtol=1e-9), "bin"].item()
    beneath = rows.loc[np.isclose(rows["upper"], -1e-6, rtol=1e-9), "bin"].item()
    assert bars[above].get_x() in [places[text] for text in named]
    assert bars[beneath].get_x() + bars[beneath].get_width() in [places[text] for text in named]
    assert sorted(places[text] for text in named)[0] == -sorted(places[text] for text in named)[1]


def test_layer_bars_are_the_sums():
    left, right = figures.figure_layers(layer_frame()).axes
    widths = [bar.get_width() for bar in left.patches]
    assert widths == [-3.0, -2.0, -1.0, 1.0, 2.0, 4.0]
    assert [bar.get_width() for bar in right.patches] == [-2.0, 0.0, 3.0]
    assert colors(right.patches) == [HELPING, sign_color(0).upper(), HURTING]
    intervals = [list(line.get_xdata()) for line in right.get_lines() if len(line.get_xdata()) == 2][:2]
    assert intervals[0] == [-3.0, -1.0]
    assert [label.get_text() for label in left.get_yticklabels()] == ["first", "second", "third"]
    assert left.yaxis_inverted()


def test_parts_are_drawn_side_by_side_on_one_scale():
    panels = figures.figure_parts(layer_frame()).axes
    assert [[bar.get_width() for bar in ax.patches] for ax in panels] == [[-1, 1, 2], [-1, -1, 1], [0, 0, 0.5]]
    assert len({ax.get_xlim() for ax in panels}) == 1
    assert colors(panels[0].patches) == [HELPING, HURTING, HURTING]


def test_cumulative_draws_every_layer(made):
    frame = made(21)["results_cumulative"]
    ax = plots.plot_cumulative(frame)
    for name, rows in frame.groupby("layer"):
        np.testing.assert_array_equal(lines(ax)[name].get_ydata(), rows["lca"])
    named = [text.get_text() for text in ax.texts]
    assert len(named) == 8
    last = frame.groupby("layer")["lca"].last()
    assert {short_name(last.idxmin()), short_name(last.idxmax())} <= set(named)


def test_cumulative_panels_share_their_axes_and_show_all_lines(made):
    frame = made(3)["results_cumulative"]
    both = pd.concat([frame.assign(split="train"), frame.assign(split="validation", lca=3 * frame["lca"])])
    panels = figures.figure_cumulative(both).axes
    bottom, top = panels[0].get_ylim()
    assert panels[0].get_ylim() == panels[1].get_ylim()
    assert bottom <= 3 * frame["lca"].min()
    assert top >= 3 * frame["lca"].max()


def test_units_draw_one_row_per_unit_in_the_order_given():
    frame = pd.DataFrame(
        {"iteration": [0, 1, 0, 1], "layer": "fc", "unit": [5, 5, 2, 2], "lca": [-1.0, np.nan, 2.0, 0.0]}
    )
    ax = plots.plot_units(frame)
    array = ax.images[0].get_array()
    np.testing.assert_array_equal(array.filled(99), [[-1.0, 99], [2.0, 0.0]])
    assert ax.images[0].norm(0.0) == pytest.approx(0.5)


def test_uneven_iterations_keep_their_place():
    frame = pd.DataFrame({"iteration": [0, 1, 10], "layer": "fc", "unit": 0, "lca": [-1.0, 1.0, 2.0]})
    mesh = plots.plot_units(frame).collections[0]
    np.testing.assert_array_equal(mesh.get_coordinates()[0, :, 0], [-0.5, 0.5, 5.5, 14.5])


def test_lca_colours_are_blue_for_helping_and_vermilion_for_hurting():
    low, middle, high = (LCA_COLORS(value) for value in (0.15, 0.5, 0.85))
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert min(middle[:3]) > 0.95


def test_spectra_draw_power_relative_to_the_largest_and_lca_centred(made):
    frame = made(3)["results_spectra"]
    steps, gradients, spectral = figures.figure_spectra(frame).axes[:3]
    wide = frame.pivot(index="layer", columns="frequency", values="power_step").to_numpy()
    np.testing.assert_allclose(steps.collections[0].get_array(), wide / wide.max(axis=1, keepdims=True))
    assert gradients.collections[0].get_array().max() == 1.0
    lca = frame.pivot(index="layer", columns="frequency", values="lca").to_numpy()
    np.testing.assert_array_equal(np.sign(spectral.collections[0].get_array()), np.sign(lca))
    assert spectral.get_xticklabels()[0].get_text() == "∞"


def test_lag_draws_estimates_intervals_and_the_momentum_delay():
    frame = pd.DataFrame({"layer": ["a", "b"], "estimate": [4.0, np.nan], "low": [3.0, np.nan], "high": [6.0, np.nan]})
    ax = plots.plot_lag(frame, momentum=0.9)
    np.testing.assert_array_equal(lines(ax)["lag"].get_xdata(), [4.0, np.nan])
    assert lines(ax)["m/(1−m) = 9"].get_xdata()[0] == pytest.approx(9.0)
    np.testing.assert_array_equal(ax.collections[0].get_segments()[0], [[3.0, 0.0], [6.0, 0.0]])


def test_lag_curve_draws_every_layer(made):
    frame = made(21)["results_lag_curve"]
    picture = plots.plot_lag_curve(frame).images[0]
    np.testing.assert_array_equal(np.asarray(picture.get_array()).ravel(), frame["cross_correlation"])


def test_peaks_are_marked_where_they_are_and_darker_when_shared():
    frame = pd.DataFrame({"layer": ["a", "b", "a"], "iteration": [10, 10, 40], "layers": [2, 2, 1]})
    above, beneath = figures.figure_peaks(frame).axes
    marks = beneath.collections[-1].get_segments()
    assert [(segment[0][0], round(segment.mean(axis=0)[1])) for segment in marks] == [(10, 0), (10, 1), (40, 0)]
    assert [segment[1][1] for segment in above.collections[0].get_segments()] == [2, 1]
    shared, alone = above.collections[0].get_colors()
    assert sum(shared[:3]) < sum(alone[:3])


def test_synchronization_is_symmetric_with_an_empty_diagonal():
    frame = pd.DataFrame({"first": ["a", "a", "b"], "second": ["b", "c", "c"], "estimate": [4.0, 0.0, 2.0]})
    ax = plots.plot_synchronization(frame)
    matrix = ax.images[0].get_array()
    np.testing.assert_array_equal(matrix.filled(-1), [[-1, 4, 0], [4, -1, 2], [0, 2, -1]])
    assert sorted(text.get_text() for text in ax.texts) == ["0", "0", "2", "2", "4", "4"]


def test_figures_draw_into_given_axes(made):
    ax = Figure().subplots()
    assert plots.plot_cumulative(made(3)["results_cumulative"], ax) is ax
    assert isinstance(plots.plot_layer_gross(layer_frame()), Axes)


PLOTS = [getattr(plots, name) for name in plots.__all__ if name.startswith("plot_")]


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)
def test_frames_without_the_columns_or_rows_are_refused(plot):
    with pytest.raises(ArgumentError, match="lacks"):
        plot(pd.DataFrame({"nothing": [1]}))
    names = ("split iteration loss rebuilt residual status layer unit lca percent_helping lower upper count bin "
             "lca_helping lca_hurting estimate low high frequency power_step power_gradient lag cross_correlation "
             "layers first second lca_gradient lca_momentum lca_decay weight class phase coherence")  # fmt: skip
    with pytest.raises(ArgumentError, match="no rows"):
        plot(pd.DataFrame({name: [] for name in names.split()}))


def test_borders_lie_halfway():
    np.testing.assert_array_equal(edges(np.array([0, 2, 6])), [-1, 1, 4, 8])
    np.testing.assert_array_equal(edges(np.array([3])), [2.5, 3.5])


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("a" * 26, "a" * 26),
        ("a" * 13 + "b" * 14, "a" * 12 + "…" + "b" * 13),
        ("model.layers.10.self_attn.q_proj", "mod….laye….10.self….q_proj"),
        ("transformer.h.0.attn.c_attn", "transform….h.0.attn.c_attn"),
        ("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p", "a.b.c.d.e.f.…j.k.l.m.n.o.p"),
    ],
)
def test_long_names_keep_their_numbers_and_their_last_word(name, short):
    assert short_name(name) == short


def test_names_in_one_figure_stay_different():
    rooms = [f"blocks.{room}.mixing_of_many_channels.projection" for room in ("inner", "input")]
    layers = [f"model.layers.{layer}.self_attn.{one}_proj" for layer in range(40) for one in "qkvo"]
    for names in (rooms, layers, made_up.layer_names(60)):
        assert len(set(short_names(names))) == len(names)
    assert short_names(["$x$"]) == [r"\$x\$"]


def test_traces_draw_the_numbers_and_colour_steps_by_sign():
    frame = pd.DataFrame(
        {
            "iteration": [0, 1, 2], "weight": [0.5, 0.4, 0.6], "path_gradient": [2.0, -1.0, 3.0],
            "lca": [-0.2, 0.0, 0.3], "parameter": "a.weight[3]", "net": 0.1, "period": 2.0, "p_adjusted": 0.04,
        }
    )  # fmt: skip
    for of in ("weight", "path_gradient"):
        line = plots.plot_trace(frame, of=of).get_lines()[0]
        np.testing.assert_array_equal(line.get_xydata(), frame[["iteration", of]])
    bars = plots.plot_trace(frame, of="lca").collections[0]
    ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
    assert ends == [[0, -0.2], [0, 0], [0, 0.3]]
    assert [to_hex(color) for color in bars.get_colors()] == [sign_color(value).lower() for value in frame["lca"]]
    both = pd.concat([frame.assign(parameter="b-1.weight[0]", net=-0.01), frame])
    titles = [ax._left_title.get_text() for ax in figures.figure_traces(both).axes[:2]]
    assert titles == [
        "b-1.weight[0]\nhelping, LCA −0.01\nperiod 2 iterations, p = 0.04 (adjusted)",
        "a.weight[3]\nhurting, LCA +0.1\nperiod 2 iterations, p = 0.04 (adjusted)",
    ]


def test_phase_is_an_angle_whichever_is_ahead_and_blue_where_steps_follow():
    frame = pd.DataFrame(
        {
            "layer": np.repeat(["z", "a"], 3), "frequency": [0.0, 0.25, 0.5] * 2,
            "phase": [0.0, -np.pi / 2, np.pi, np.pi / 4, 3.0, np.nan], "coherence": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        }
    )  # fmt: skip
    ax = plots.plot_phase(frame)
    drawn = ax.collections[0]
    np.testing.assert_allclose(drawn.get_array().filled(-1), [[0, 90, 180], [45, np.degrees(3), -1]])
    assert to_hex(drawn.cmap(drawn.norm(0))) == to_hex(LCA_COLORS(0.0))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["z", "a"]
    coherence = plots.plot_coherence(frame).collections[0].get_array()
    np.testing.assert_array_equal(coherence, [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])


def test_peaks_of_classes_have_their_lane_in_the_layer_s_row():
    frame = pd.DataFrame({"layer": ["z", "z", "a"], "class": [0, 7, 7], "iteration": [3, 9, 9], "layers": [1, 2, 2]})
    ax = plots.plot_class_peaks(frame)
    alone, shared = (line.get_xydata() for line in ax.get_lines())
    np.testing.assert_allclose(alone, [[3, -0.4], [3, 0], [3, np.nan]])
    np.testing.assert_allclose(shared, [[9, 0], [9, 0.4], [9, np.nan], [9, 1], [9, 1.4], [9, np.nan]], atol=1e-12)
    assert "from the top: classes 0, 7\n" in ax._left_title.get_text()
    assert len({line.get_color() for line in ax.get_lines()}) == 2
