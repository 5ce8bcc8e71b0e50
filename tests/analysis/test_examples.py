"""The two parameters shown as examples are those that oscillate, helped most and hurt most."""

import numpy as np
import pytest

from lca_analysis.analysis.panel import Panel
from lca_analysis.analysis.table_examples import example_rows
from lca_analysis.analysis.table_oscillation import panel_oscillation

T = 256


def panel(amplitudes):
    """Parameters whose steps are noise and waves (period 16) of these sizes, with gradients as multiples of them."""
    rng, times = np.random.default_rng(0), np.arange(T)
    step = np.column_stack([rng.normal(size=T) + size * np.cos(np.pi * times / 8) for size, _ in amplitudes])
    gradient = step * np.array([sign for _, sign in amplitudes])
    names = np.array([f"w[{place}]" for place in range(len(amplitudes))], object)
    return Panel(np.array(["b", "a"] * (len(amplitudes) // 2), object), names, step, gradient, 2, 0)


def test_the_most_helping_and_the_most_hurting_that_oscillate_are_chosen():
    made = panel([(0, -9), (3, 1), (4, -1), (0, 9), (3, -1), (3, 0)])
    helped, hurt = example_rows(made, panel_oscillation(made, ("a", "b")))
    assert (helped.layer, helped.subject) == ("b", "w[2]")
    assert (hurt.layer, hurt.subject) == ("a", "w[1]")
    assert [row.estimate for row in (helped, hurt)] == pytest.approx([32, 32], rel=0.05)
    assert max(row.p_adjusted for row in (helped, hurt)) < 1e-6


def test_parameters_that_hardly_move_the_loss_are_no_examples():
    made = panel([(3, -1e-9), (3, -1), (3, -2), (3, 1e-9), (3, -1.5), (0, -2)])
    helped, hurt = example_rows(made, panel_oscillation(made, ("a", "b")))
    assert (helped.subject, hurt.subject) == ("w[2]", "w[1]")
    still = panel([(3, -1e-9), (3, 0), (3, -2), (0, 1e-9)])
    assert {row.subject for row in example_rows(still, panel_oscillation(still, ("a", "b")))} == {"w[2]", "w[0]"}


def test_without_oscillation_the_smallest_p_values_are_chosen_and_told():
    made = panel([(0, 1)] * 4)
    rows = example_rows(made, panel_oscillation(made, ("a", "b")))
    assert len(rows) == 2
    assert min(row.p_adjusted for row in rows) > 0.05


def test_nothing_is_chosen_where_nothing_was_tested():
    made = panel([(0, 1)] * 2)
    short = Panel(made.layer, made.name, made.step[:4], made.gradient[:4], 2, 0)
    assert example_rows(short, panel_oscillation(short, ("a", "b"))) == []
