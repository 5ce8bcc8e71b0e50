"""Schemes on paths whose integrals are known, with every evaluation counted."""

import math
from collections import Counter

import pytest
import torch

from lca_analysis.allocation.quadrature import RULES, SIMPSON, integrate
from lca_analysis.allocation.schemes import FixedScheme, HalvingScheme, make_scheme
from lca_analysis.errors import ArgumentError


class Exponential:
    """A path in one dimension: L(s) = exp(rate·s)."""

    def __init__(self, rate):
        self.rate = rate
        self.asked = Counter()
        self.loss_change = math.exp(rate) - 1

    def gradient(self, s):
        self.asked[s] += 1
        return torch.tensor([self.rate * math.exp(self.rate * s)], dtype=torch.float64)

    def allocated(self, path_gradient):
        return float(path_gradient)


@pytest.mark.parametrize("pieces", [1, 2, 4, 8, 32])
def test_halving_is_simpsons_rule_on_so_many_pieces(pieces):
    path = Exponential(3.0)
    result = HalvingScheme(tolerance=0.0, max_pieces=pieces).integrate(path)
    wanted = integrate(SIMPSON, path.gradient, pieces)
    coarser = RULES["trapezoid"] if pieces == 1 else SIMPSON
    assert result.pieces == pieces
    assert float(result.path_gradient) == pytest.approx(float(wanted), rel=1e-14)
    assert float(result.coarse) == pytest.approx(
        float(integrate(coarser, path.gradient, max(1, pieces // 2))), rel=1e-14
    )


@pytest.mark.parametrize("pieces", [1, 2, 8])
def test_halving_evaluates_every_node_once(pieces):
    path = Exponential(3.0)
    HalvingScheme(tolerance=0.0, max_pieces=pieces).integrate(path)
    assert path.asked == {node / (2 * pieces): 1 for node in range(2 * pieces + 1)}


@pytest.mark.parametrize("tolerance", [1.0, 1e-2, 1e-4, 1e-6])
def test_halving_stops_at_the_first_level_within_the_tolerance(tolerance):
    path = Exponential(4.0)
    result = HalvingScheme(tolerance, max_pieces=64).integrate(path)
    errors = {n: abs(float(integrate(SIMPSON, path.gradient, n)) - path.loss_change) for n in (1, 2, 4, 8, 16, 32, 64)}
    assert result.pieces == next(n for n, error in errors.items() if error <= tolerance)


@pytest.mark.parametrize("name", RULES)
def test_a_fixed_scheme_is_its_rule_once(name):
    path = Exponential(2.0)
    result = FixedScheme(RULES[name]).integrate(path)
    assert path.asked == dict.fromkeys(RULES[name].nodes, 1)
    assert float(result.path_gradient) == pytest.approx(float(integrate(RULES[name], path.gradient)), rel=1e-14)
    embedded = RULES[name].embedded
    if embedded is None:
        assert result.coarse is None
    else:
        assert float(result.coarse) == pytest.approx(float(integrate(embedded, path.gradient)), rel=1e-14)


def test_schemes_by_name():
    assert make_scheme("paper", 1e-3, 32) == HalvingScheme(1e-3, 32)
    assert make_scheme("boole", 1e-3, 32) == FixedScheme(RULES["boole"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("runge", 1e-3, 32), "paper, euler"),
        (("paper", -1.0, 32), "tolerance"),
        (("paper", math.nan, 32), "tolerance"),
        (("paper", 1e-3, 24), "power of two"),
        (("paper", 1e-3, 0), "power of two"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        make_scheme(*arguments)
