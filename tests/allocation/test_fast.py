"""The fast scheme: one new gradient, the loss change met, and a guard where that would be ill-conditioned."""

import numpy as np
import pytest
from known_paths import exponentials, powers

from lca_analysis.allocation.fast import FastScheme


def test_only_the_ends_are_evaluated_and_the_loss_change_is_met():
    path = exponentials(1.0, 2.0)
    result = FastScheme().integrate(path)
    assert path.asked == {0.0: 1, 1.0: 1}
    assert float(result.path_gradient.sum()) == pytest.approx(path.loss_change, rel=1e-14)


@pytest.mark.parametrize("exponent", [2, 3, 5])
def test_layers_that_bend_alike_are_exact(exponent):
    path = powers(exponent, 2.0, 1.0, 0.5)
    result = FastScheme().integrate(path)
    np.testing.assert_allclose(result.path_gradient.numpy(), path.truth, rtol=1e-13)
    # From ∫ p s^(p−1) = 1: (½ + τ) p = 1.
    assert result.tilt == pytest.approx(1 / exponent - 0.5, abs=1e-14)


def test_the_weights_stay_those_of_the_trapezoid_where_layers_cancel():
    path = exponentials(1.0, 1.0, 0.1, sizes=[1.0, -1.0, 1.0])
    result = FastScheme().integrate(path)
    assert result.tilt is None
    np.testing.assert_allclose(result.path_gradient, (path.gradient(0.0) + path.gradient(1.0)) / 2, rtol=1e-15)


def test_a_large_tilt_is_refused():
    # The gradient is alike at both ends and not between them: a weight beyond [0, 1] would be needed.
    path = powers(2, 1.0)
    path.loss_change, path.losses = 4.0, lambda s: (4.0 * s,)
    assert FastScheme().integrate(path).tilt is None


def test_a_step_that_changes_nothing():
    path = powers(2, 0.0)
    result = FastScheme().integrate(path)
    assert float(result.path_gradient.sum()) == 0
    assert result.errors.tolist() == [[0.0]]
