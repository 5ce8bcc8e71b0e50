"""The adaptive schemes: closed forms, where they refine, what they evaluate, and how few gradients they keep."""

import math

import numpy as np
import pytest
from known_paths import exponentials, kinked, powers

from lca_analysis.allocation.adaptive import AdaptiveScheme
from lca_analysis.allocation.bounded_sum import BoundedSum
from lca_analysis.allocation.pieces import node_weights
from lca_analysis.allocation.quadrature import SIMPSON, TRAPEZOID
from lca_analysis.allocation.scheme import Tolerance


def adaptive(tolerance=1e-3, max_pieces=64, kept=2, by_layer=False):
    return AdaptiveScheme(Tolerance(tolerance), max_pieces, kept, by_layer)


def test_a_quadratic_takes_the_two_ends():
    path = powers(2, 3.0, -1.0)
    result = adaptive(1e-12).integrate(path)
    assert path.asked.keys() == {0.0, 1.0}
    np.testing.assert_allclose(result.path_gradient.numpy(), path.truth, rtol=1e-15)
    assert [piece.rule for piece in result.pieces] == [TRAPEZOID]


def test_a_quartic_takes_the_middle_too():
    path = powers(4, 3.0, -1.0)
    result = adaptive(1e-12).integrate(path)
    assert path.asked.keys() == {0.0, 0.5, 1.0}
    np.testing.assert_allclose(result.path_gradient.numpy(), path.truth, rtol=1e-14)
    assert [piece.rule for piece in result.pieces] == [SIMPSON]


@pytest.mark.parametrize("exponent", [6, 9])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
def test_other_powers_come_within_the_tolerance(exponent, tolerance):
    path = powers(exponent, 2.0, 0.5)
    result = adaptive(tolerance).integrate(path)
    assert abs(path.loss_change - float(result.path_gradient.sum())) <= tolerance
    assert len(result.pieces) > 1
    # The two tensors' changes are proportional, and so is all that is linear in them.
    assert float(result.path_gradient[0]) == pytest.approx(4 * float(result.path_gradient[1]), rel=1e-14)


def test_only_the_piece_that_fails_is_refined():
    path = kinked(0.8)
    result = adaptive(1e-3).integrate(path)
    assert abs(path.loss_change - float(result.path_gradient.sum())) <= 1e-3
    narrow = [piece for piece in result.pieces if piece.width < 1 / 8]
    assert narrow
    assert all(piece.start >= 0.5 for piece in narrow)
    widest = max(result.pieces, key=lambda piece: piece.width)
    assert (widest.start, widest.end) == (0.0, 0.5)


def test_pieces_join_without_gaps_and_weights_are_those_of_the_rules_tilted_by_what_they_miss():
    path = exponentials(5.0, -3.0)
    result = adaptive(1e-4).integrate(path)
    assert len(result.pieces) > 8
    assert [result.pieces[0].start, result.pieces[-1].end] == [0.0, 1.0]
    assert all(a.end == b.start for a, b in zip(result.pieces, result.pieces[1:], strict=False))
    wanted, missed = 0.0, 0.0
    for piece in result.pieces:
        nodes, weights = ((0, 1), (0.5, 0.5)) if piece.rule is TRAPEZOID else ((0, 0.5, 1), (1 / 6, 4 / 6, 1 / 6))
        change = path.losses(piece.end)[0] - path.losses(piece.start)[0]
        gradients = [piece.width * path.gradient(piece.start + piece.width * node) for node in nodes]
        plain = sum(weight * gradient for weight, gradient in zip(weights, gradients, strict=True))
        bend = gradients[-1] - gradients[0]
        residual = change - float(plain.sum())
        wanted += plain + residual / float(bend.sum()) * bend
        missed += residual
    np.testing.assert_allclose(result.path_gradient.numpy(), wanted.numpy(), rtol=1e-13)
    np.testing.assert_allclose(result.untilted_residual, [missed], rtol=1e-6)


def test_pieces_may_miss_one_and_a_half_tolerances_and_the_residual_vanishes():
    path = exponentials(1.0, 2.0)
    missed = path.loss_change - float(path.gradient(0.0).sum() + path.gradient(1.0).sum()) / 2
    for factor, pieces in ((1.4, [TRAPEZOID]), (1.6, [SIMPSON])):
        result = adaptive(abs(missed) / factor).integrate(path)
        assert [piece.rule for piece in result.pieces] == pieces
        assert float(result.path_gradient.sum()) == pytest.approx(path.loss_change, rel=1e-14)
        assert result.tilt is not None
    assert adaptive(abs(missed)).integrate(path).untilted_residual == pytest.approx(missed, rel=1e-12)


@pytest.mark.parametrize(("other", "is_tilted"), [(-0.4, False), (-0.3, True)])
def test_weights_stay_where_a_tilt_would_move_layers_by_more_than_twice_the_residual(other, is_tilted):
    # The sum of sizes over the size of the sum is 1.4 / 0.6 and 1.3 / 0.7.
    path = exponentials(1.0, 1.0, sizes=[1.0, other])
    missed = (1 + other) * (math.e - 1 - (1 + math.e) / 2)
    result = adaptive(0.2).integrate(path)
    assert (result.tilt is not None) == is_tilted
    residual = path.loss_change - float(result.path_gradient.sum())
    assert residual == pytest.approx(0.0 if is_tilted else missed, rel=1e-12, abs=1e-15)
    assert result.untilted_residual[0] == pytest.approx(missed, rel=1e-12)


def test_what_may_not_be_refined_any_more_is_not_tilted():
    path = exponentials(9.0, -3.0)
    result = adaptive(1e-9, max_pieces=2).integrate(path)
    assert result.tilt is None
    residual = path.loss_change - float(result.path_gradient.sum())
    assert abs(residual) > 1.0
    assert result.untilted_residual[0] == pytest.approx(residual, rel=1e-12)


@pytest.mark.parametrize("kept", [0, 1, 2, 5])
def test_few_gradients_are_kept_and_the_sum_is_the_same(kept, monkeypatch):
    most = 0
    fold = BoundedSum.fold

    def watched(self, place, weight):
        nonlocal most
        most = max(most, len(self.kept) - 1)
        fold(self, place, weight)

    all_kept, path = exponentials(9.0, -3.0), exponentials(9.0, -3.0)
    wanted = adaptive(1e-5, kept=999).integrate(all_kept)
    monkeypatch.setattr(BoundedSum, "fold", watched)
    found = adaptive(1e-5, kept=kept).integrate(path)
    assert found.pieces == wanted.pieces
    np.testing.assert_allclose(found.path_gradient.numpy(), wanted.path_gradient.numpy(), rtol=1e-13)
    assert most == kept
    ends = {0.0, 1.0}
    assert all(count == 1 for place, count in all_kept.asked.items() if place not in ends)
    assert all(count <= 2 for place, count in path.asked.items() if place not in ends)
    assert path.asked.keys() == all_kept.asked.keys()


def test_a_gradient_is_folded_with_the_weight_that_the_tilt_gives_it():
    # With any other weight it would have to be evaluated again in the end.
    path = exponentials(-7.5)
    result = adaptive(0.003, kept=2).integrate(path)
    assert result.tilt is not None
    inner = [count for place, count in path.asked.items() if place not in (0.0, 1.0)]
    assert inner == [1] * 5


def test_no_more_pieces_than_may_be():
    path = exponentials(9.0)
    result = adaptive(0.0, max_pieces=8).integrate(path)
    assert len(result.pieces) == 8
    assert all(piece.rule is SIMPSON for piece in result.pieces)


def test_layers_that_cancel_are_seen_by_strict_only():
    # The sum is flat; what two layers do to it is not.
    path = exponentials(3.0, 3.0, sizes=[1.0, -1.0])
    loose, strict = (adaptive(1e-2, by_layer=by_layer).integrate(path) for by_layer in (False, True))
    assert len(loose.pieces) == 1
    error = {"loose": 0.0, "strict": 0.0}
    for name, result in (("loose", loose), ("strict", strict)):
        error[name] = float(np.abs(result.path_gradient.numpy() - path.truth).max())
    assert error["loose"] > 1.0
    assert error["strict"] <= 1e-2
    assert strict.errors[0].max() <= 1e-2


def test_strict_adds_up_the_tensors_of_a_layer():
    path = exponentials(1.0, 1.0, layers=[0, 0])
    apart = exponentials(1.0, 1.0, layers=[0, 1])
    together = adaptive(1e-2, by_layer=True).integrate(path)
    assert together.errors[0].sum() <= 1e-2
    assert len(together.pieces) >= len(adaptive(1e-2, by_layer=True).integrate(apart).pieces)


@pytest.mark.parametrize(
    ("rate", "tolerance", "is_refined"),
    [
        (0.3, 1.0, False),  # a tenth of what the layer moves
        (0.5, 1.0, True),
        (0.3, 0.07, True),  # no more than the tolerance
        (0.5, 2.5, True),  # no less is asked than a twentieth of the tolerance
        (0.5, 3.0, False),
    ],
)
def test_strict_limits_the_error_of_a_layer(rate, tolerance, is_refined):
    # A trapezoid's estimate is 0.075 of what it moves at the rate 0.3, and 0.139 at 0.5.
    path = exponentials(rate)
    moved = rate * (1 + math.exp(rate)) / 2
    result = adaptive(tolerance * moved, by_layer=True).integrate(path)
    assert ([piece.rule for piece in result.pieces] != [TRAPEZOID]) == is_refined


def test_the_nodes_weights_sum_to_one():
    result = adaptive(1e-7).integrate(exponentials(5.0))
    weights = node_weights(result.pieces)
    assert math.isclose(math.fsum(weights.values()), 1.0, rel_tol=1e-14)
    assert min(weights.values()) > 0
