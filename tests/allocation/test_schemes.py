"""Schemes on paths whose integrals are known, with every evaluation counted."""

import math

import pytest
from known_paths import exponentials

from lca_analysis.allocation.adaptive import AdaptiveScheme
from lca_analysis.allocation.fast import FastScheme
from lca_analysis.allocation.quadrature import RULES, SIMPSON, integrate
from lca_analysis.allocation.scheme import Tolerance
from lca_analysis.allocation.schemes import FixedScheme, HalvingScheme, make_scheme
from lca_analysis.errors import ArgumentError


@pytest.mark.parametrize("pieces", [1, 2, 4, 8, 32])
def test_halving_is_simpsons_rule_on_so_many_pieces(pieces):
    path = exponentials(3.0)
    result = HalvingScheme(Tolerance(0.0), max_pieces=pieces).integrate(path)
    assert len(result.pieces) == pieces
    assert float(result.path_gradient) == pytest.approx(float(integrate(SIMPSON, path.gradient, pieces)), rel=1e-14)


@pytest.mark.parametrize("pieces", [1, 2, 8])
def test_halving_evaluates_every_node_once(pieces):
    path = exponentials(3.0)
    HalvingScheme(Tolerance(0.0), max_pieces=pieces).integrate(path)
    assert path.asked == {node / (2 * pieces): 1 for node in range(2 * pieces + 1)}


@pytest.mark.parametrize("tolerance", [1.0, 1e-2, 1e-4, 1e-6])
def test_halving_stops_at_the_first_level_within_the_tolerance(tolerance):
    path = exponentials(4.0)
    result = HalvingScheme(Tolerance(tolerance), max_pieces=64).integrate(path)
    errors = {n: abs(float(integrate(SIMPSON, path.gradient, n)) - path.loss_change) for n in (1, 2, 4, 8, 16, 32, 64)}
    assert len(result.pieces) == next(n for n, error in errors.items() if error <= tolerance)


@pytest.mark.parametrize("name", RULES)
def test_a_fixed_scheme_is_its_rule_once(name):
    path = exponentials(2.0)
    result = FixedScheme(RULES[name]).integrate(path)
    assert path.asked == dict.fromkeys(RULES[name].nodes, 1)
    assert float(result.path_gradient) == pytest.approx(float(integrate(RULES[name], path.gradient)), rel=1e-14)


def test_a_relative_tolerance_counts_where_it_allows_more():
    assert Tolerance(1e-3, 1e-2).of(-5.0) == pytest.approx(5e-2)
    assert Tolerance(1e-3, 1e-2).of(0.01) == 1e-3
    path = exponentials(4.0)
    loose, tight = (AdaptiveScheme(Tolerance(1e-9, rel), 64, 2).integrate(path) for rel in (1e-2, 0.0))
    assert 1e-9 < abs(loose.untilted_residual[0]) <= 1.5e-2 * path.loss_change
    assert len(loose.pieces) < len(tight.pieces)


def test_schemes_by_name():
    assert make_scheme("paper", Tolerance(1e-3), 32) == HalvingScheme(Tolerance(1e-3), 32)
    assert make_scheme("boole", Tolerance(1e-3), 32) == FixedScheme(RULES["boole"])
    assert make_scheme("fast", Tolerance(1e-3), 32) == FastScheme()
    for name, by_layer in (("adaptive", False), ("strict", True)):
        scheme = make_scheme(name, Tolerance(1e-3), 32, 5)
        assert scheme == AdaptiveScheme(Tolerance(1e-3), 32, 5, by_layer)
        assert scheme.name == name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("runge", Tolerance(1e-3), 32), "adaptive, strict, fast, paper, euler"),
        (("paper", Tolerance(-1.0), 32), "tolerance"),
        (("adaptive", Tolerance(0.0, -1.0), 32), "tolerance"),
        (("paper", Tolerance(math.nan), 32), "tolerance"),
        (("paper", Tolerance(1e-3), 24), "power of two"),
        (("paper", Tolerance(1e-3), 0), "power of two"),
        (("adaptive", Tolerance(1e-3), 32, -1), "kept_gradients"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        make_scheme(*arguments)
