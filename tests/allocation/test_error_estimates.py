"""Error estimates: every rule has one; it covers the true error of each tensor where the residual shows none of it."""

import numpy as np
import pytest
from known_paths import exponentials, kinked, powers

from lca_analysis.allocation.error_estimates import HALF, MODELS, error_estimates, piece_errors
from lca_analysis.allocation.pieces import Piece, Samples
from lca_analysis.allocation.quadrature import RULES, SIMPSON, TRAPEZOID
from lca_analysis.allocation.scheme import Tolerance
from lca_analysis.allocation.schemes import FixedScheme, make_scheme

MODES = ("adaptive", "strict", "fast", "paper")


def test_every_rule_has_a_model():
    assert set(MODELS) == {*RULES, HALF}


@pytest.mark.parametrize("name", [*MODES, *RULES])
def test_errors_of_layers_that_cancel_are_covered(name):
    path = exponentials(1.5, 1.5, -0.7, sizes=[1.0, -1.0, 0.2])
    result = make_scheme(name, Tolerance(1e-3), 32).integrate(path)
    true = np.abs(result.path_gradient.numpy() - path.truth)
    assert result.errors.shape == (1, 3)
    assert (result.errors[0] >= true).all()
    assert result.errors[0].max() < 3 * np.abs(path.truth).max()


@pytest.mark.parametrize("name", ["adaptive", "paper", "trapezoid", "simpson", "boole"])
def test_a_kink_is_covered(name):
    path = kinked(0.37)
    result = make_scheme(name, Tolerance(1e-3), 32).integrate(path)
    assert result.errors[0, 0] >= abs(float(result.path_gradient[0]) - path.truth[0])


def test_the_estimate_of_simpsons_rule_written_out():
    path = exponentials(1.0, -2.0, sizes=[1.0, 0.5])
    samples = Samples(path)
    for place in (0.25, 0.5, 0.75):
        samples.gradient(place)
    start, middle, end = (path.gradient(place).numpy() for place in (0.25, 0.5, 0.75))
    simpson, trapezoid = (start + 4 * middle + end) / 12, (start + end) / 4
    size = (abs(start) + 4 * abs(middle) + abs(end)) / 12
    difference = abs(simpson - trapezoid)
    wanted = 1.2 * difference + 1.6 * difference.sum() * size / size.sum()
    np.testing.assert_allclose(piece_errors(samples, Piece(SIMPSON, 0.25, 0.75))[0], wanted, rtol=1e-13)


@pytest.mark.parametrize("half", [(0.25, 0.5), (0.5, 0.75)])
def test_the_estimate_of_a_trapezoid_on_half_of_what_simpsons_rule_had_written_out(half):
    path = exponentials(1.0, -2.0, sizes=[1.0, 0.5])
    samples = Samples(path)
    for place in (0.0, 0.25, 0.5, 0.75, 1.0):
        samples.gradient(place)
    first, last = (0.0, 0.5) if half == (0.25, 0.5) else (0.5, 1.0)
    start, middle, end = (path.gradient(place).numpy() for place in (first, (first + last) / 2, last))
    difference = abs(start - 2 * middle + end) / 6
    size = (abs(path.gradient(half[0]).numpy()) + abs(path.gradient(half[1]).numpy())) / 8
    wanted = difference + difference.sum() * size / size.sum()
    np.testing.assert_allclose(piece_errors(samples, Piece(TRAPEZOID, *half))[0], wanted, rtol=1e-13)


@pytest.mark.parametrize("name", ["trapezoid", "midpoint"])
def test_a_residual_is_shared_by_the_tensors(name):
    path = powers(3, 3.0, 1.0)
    rule = RULES[name]
    result = FixedScheme(rule).integrate(path)
    residual = abs(path.loss_change - path.allocated(result.path_gradient))
    assert result.errors[0].sum() >= 2 * residual
    assert result.errors[0, 0] == pytest.approx(3 * result.errors[0, 1], rel=1e-12)


def test_a_residual_of_which_nothing_is_known_is_shared_equally():
    result = FixedScheme(RULES["euler"]).integrate(powers(3, 3.0, 1.0))  # at the start, no gradient yet
    np.testing.assert_allclose(result.errors[0], [3 * 4.0 / 2] * 2, rtol=1e-12)


def test_squares_of_estimates_add_up_over_pieces_and_nothing_has_none():
    path = powers(4, 0.0, 2.0)
    result = make_scheme("paper", Tolerance(0.0), 4).integrate(path)
    samples = Samples(path)
    for piece in result.pieces:
        for place, _ in piece.weighted(piece.rule):
            samples.gradient(place)
    total = np.sqrt(sum(piece_errors(samples, piece) ** 2 for piece in result.pieces))
    np.testing.assert_allclose(result.errors, total, rtol=1e-14)
    np.testing.assert_array_equal(error_estimates(samples, result.pieces), result.errors)
    assert result.errors[0, 0] == 0
