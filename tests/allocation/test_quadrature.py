"""Every rule against what defines it: weights, exactness, order."""

import math

import pytest

from lca_analysis.allocation.quadrature import RULES, composite, integrate

DEGREES = {
    "euler": 0,
    "midpoint": 1,
    "trapezoid": 1,
    "simpson": 3,
    "simpson38": 3,
    "boole": 5,
    "gauss2": 3,
    "gauss3": 5,
    "gauss4": 7,
}


def test_the_registry_holds_these_rules():
    assert {name: rule.degree for name, rule in RULES.items()} == DEGREES
    assert all(rule.name == name for name, rule in RULES.items())


@pytest.mark.parametrize("name", RULES)
def test_weights_sum_to_one_and_nodes_ascend_inside(name):
    rule = RULES[name]
    assert math.isclose(sum(rule.weights), 1, rel_tol=1e-15)
    assert list(rule.nodes) == sorted(set(rule.nodes))
    assert rule.nodes[0] >= 0
    assert rule.nodes[-1] <= 1
    assert len(rule.nodes) == len(rule.weights)


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("name", RULES)
def test_exact_up_to_the_degree_and_not_beyond(name, pieces):
    rule = RULES[name]
    for power in range(rule.degree + 1):
        assert math.isclose(integrate(rule, lambda s, p=power: s**p, pieces), 1 / (power + 1), rel_tol=1e-14)
    beyond = integrate(rule, lambda s: s ** (rule.degree + 1), pieces)
    assert abs(beyond - 1 / (rule.degree + 2)) > 1e-10


@pytest.mark.parametrize("name", RULES)
def test_the_error_falls_with_the_observed_order(name):
    rule = RULES[name]
    errors = [abs(integrate(rule, math.exp, pieces) - (math.e - 1)) for pieces in (2, 4)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(rule.degree + 1, abs=0.1)


@pytest.mark.parametrize("name", RULES)
def test_pieces_share_their_ends(name):
    rule = RULES[name]
    nodes = [node for node, _ in composite(rule, 4)]
    assert nodes == sorted(set(nodes))
    shares = rule.nodes[0] == 0 and rule.nodes[-1] == 1
    assert len(nodes) == 4 * len(rule.nodes) - (3 if shares else 0)
    assert math.isclose(sum(weight for _, weight in composite(rule, 4)), 1, rel_tol=1e-14)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.embedded])
def test_embedded_rules_are_coarser_and_need_no_new_node(name):
    rule = RULES[name]
    assert set(rule.embedded.nodes) < set(rule.nodes)
    assert rule.embedded.degree < rule.degree
