import numpy as np
import pytest
from scipy.signal import lfilter

from lca_analysis.analysis.lags import (
    _centre_parts,
    _moments,
    _top,
    _top_parts,
    _tops,
    delay_difference,
    lag_curve,
    lag_difference,
    lag_of_maximum,
    mean_delay,
    resample_counts,
)
from lca_analysis.errors import ArgumentError


def _drawn(curve, seed: int = 0):  # type: ignore[no-untyped-def]
    length = len(curve.products)
    return resample_counts(length, np.random.default_rng(seed), 199) @ curve.products / length


def test_curve_against_a_slow_version() -> None:
    rng = np.random.default_rng(0)
    step, gradient = rng.standard_normal((60, 3)), rng.standard_normal((60, 3))
    curve = lag_curve(step, gradient, 5)
    assert curve is not None
    x = -(gradient - gradient.mean(0)) / gradient.std(0)
    y = (step - step.mean(0)) / step.std(0)
    for lag, value in zip(curve.lag, curve.correlation, strict=True):
        terms = [x[t, i] * y[t + lag, i] for i in range(3) for t in range(60) if 0 <= t + lag < 60]
        assert value == pytest.approx(sum(terms) / 60 / 3)


@pytest.mark.parametrize("delay", [-4, -1, 0, 3, 7])
def test_each_iteration_adds_symmetrically_about_a_delay(delay: int) -> None:
    gradient = lfilter([1.0], [1.0, -0.9], np.random.default_rng(1).standard_normal((300, 4)), axis=0)
    curve = lag_curve(-np.roll(gradient, delay, axis=0), gradient, 20)
    assert curve is not None
    middle, inner = 20 + delay, slice(40, -40)
    for apart in range(1, 10):
        late, early = curve.products[inner, middle + apart], curve.products[inner, middle - apart]
        np.testing.assert_allclose(late, early, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("delay", [-4, 0, 7])
def test_lag_of_a_delayed_copy(delay: int) -> None:
    rng = np.random.default_rng(1)
    gradient = rng.standard_normal((400, 30))
    curve = lag_curve(-np.roll(gradient, delay, axis=0) + rng.standard_normal((400, 30)), gradient)
    assert curve is not None
    found = lag_of_maximum(curve, _drawn(curve))
    assert found.low - 0.005 <= delay <= found.high + 0.005
    assert found.estimate == pytest.approx(delay, abs=0.02)
    assert 0 < found.high - found.low < 0.1


def test_top_is_that_of_the_parabola_through_three_points() -> None:
    place = np.arange(-3.0, 4.0)
    tops = np.array([-1.4, 0.0, 0.3, 2.2])
    np.testing.assert_allclose(_top(-((place - tops[:, None]) ** 2)), tops)
    np.testing.assert_array_equal(_top(np.array([place, -place, 0 * place])), [3, -3, -3])  # at an end, the end


def test_lag_moves_with_the_curve_where_its_maximum_changes_place() -> None:
    one, other = np.array([[0, 0.2, 0.9, 0.9 + 1e-9, 0.1], [0, 0.2, 0.9, 0.9 - 1e-9, 0.1]])
    assert _top(one[None])[0] == pytest.approx(_top(other[None])[0], abs=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_mean_delay_is_that_of_momentum(momentum: float) -> None:
    gradient, noise = np.random.default_rng(2).standard_normal((2, 2000, 100))
    step = lfilter([1.0], [1.0, -momentum], 0.1 * noise - gradient, axis=0)
    curve = lag_curve(step, gradient)
    assert curve is not None
    found = mean_delay(curve, _drawn(curve))
    assert found.estimate == pytest.approx(momentum / (1 - momentum), abs=0.5)
    assert found.low - 0.3 <= momentum / (1 - momentum) <= found.high + 0.3
    assert abs(lag_of_maximum(curve, _drawn(curve)).estimate) < 0.5  # of a curve that is skew


@pytest.mark.parametrize("length", [150, 300])
def test_mean_delay_does_not_depend_on_the_length(length: int) -> None:
    rng, found = np.random.default_rng(7), []
    for _ in range(20):
        gradient = rng.standard_normal((length, 40))
        curve = lag_curve(lfilter([1.0], [1.0, -0.9], -gradient, axis=0), gradient)
        assert curve is not None
        found.append(mean_delay(curve, curve.correlation[None]).estimate)
    assert np.mean(found) == pytest.approx(9, abs=1.5)  # without the correction 12 to 14


def test_mean_delay_of_a_short_run_has_no_interval() -> None:
    gradient = np.random.default_rng(2).standard_normal((100, 100))
    step = lfilter([1.0], [1.0, -0.9], -gradient, axis=0)
    curve = lag_curve(step, gradient)
    assert curve is not None
    found = mean_delay(curve, _drawn(curve))
    assert found.estimate > 100 / 50
    assert np.isnan([found.low, found.high, found.p("two-sided")]).all()
    assert "at least 200 steps" in str(found.reason)
    moved = lag_difference(curve, _drawn(curve), curve, _drawn(curve))
    assert moved.estimate == 0
    assert "at least 200 steps" in str(moved.reason)


def test_delay_that_is_long_for_the_run_has_no_interval() -> None:
    gradient = np.random.default_rng(2).standard_normal((300, 100))
    step = lfilter([1.0], [1.0, -0.9], -gradient, axis=0)
    curve = lag_curve(step, gradient)
    assert curve is not None
    found = mean_delay(curve, _drawn(curve))
    assert found.estimate > 300 / 50
    assert np.isnan(found.low)
    assert "fewer than 50 such delays" in str(found.reason)


def test_weak_maximum_has_a_wide_interval() -> None:
    rng = np.random.default_rng(3)
    curve = lag_curve(rng.standard_normal((300, 5)), rng.standard_normal((300, 5)))
    assert curve is not None
    found = lag_of_maximum(curve, _drawn(curve))
    assert found.high - found.low > 20


def test_parts_are_what_an_iteration_of_more_weight_moves() -> None:
    rng, length, more = np.random.default_rng(1), 200, 1e-6
    gradient = lfilter([1.0], [1.0, -0.6], rng.standard_normal((length, 5)), axis=0)
    curve = lag_curve(lfilter([1.0], [1.0, -0.7], rng.standard_normal((length, 5)) - gradient, axis=0), gradient)
    assert curve is not None
    top, centre = _top_parts(curve), _centre_parts(curve)
    first, total = _moments(curve.correlation, curve)
    for step in range(0, length, 23):
        heavier = curve.correlation + more * curve.products[step] / length
        above, below = _moments(heavier, curve)
        moved = np.array([_tops(heavier) - _tops(curve.correlation), above / below - first / total])
        np.testing.assert_allclose([top[step], centre[step]], moved * length / more, rtol=1e-3, atol=1e-4)


def test_lags_are_not_compared_where_a_maximum_is_weak() -> None:
    rng = np.random.default_rng(3)
    weak = lag_curve(rng.standard_normal((300, 5)), rng.standard_normal((300, 5)))
    gradient = rng.standard_normal((300, 5))
    clear = lag_curve(-gradient + rng.standard_normal((300, 5)), gradient)
    assert weak is not None
    assert clear is not None
    for one, other in ((weak, clear), (clear, weak)):
        found = lag_difference(one, _drawn(one), other, _drawn(other))
        assert "no clear maximum" in str(found.reason)
        assert np.isnan(found.p("two-sided"))


def test_noiseless_copies_have_no_interval() -> None:
    gradient = np.random.default_rng(2).standard_normal((300, 10))
    curve = lag_curve(-gradient, gradient)
    assert curve is not None
    found = mean_delay(curve, _drawn(curve))
    assert found.estimate == pytest.approx(0, abs=1e-9)
    assert "blocks of the run do not differ" in str(found.reason)


def test_mean_delay_of_unrelated_series_is_refused() -> None:
    rng = np.random.default_rng(4)
    curve = lag_curve(rng.standard_normal((300, 5)), rng.standard_normal((300, 5)))
    assert curve is not None
    found = mean_delay(curve, _drawn(curve))
    assert "not clearly positive" in str(found.reason)
    assert np.isnan(found.estimate)


def test_difference_of_lags() -> None:
    rng, covered = np.random.default_rng(5), []
    for _ in range(40):
        gradient = rng.standard_normal((400, 30))
        late, early = (
            lag_curve(-np.roll(gradient, lag, axis=0) + rng.standard_normal((400, 30)), gradient, 12) for lag in (6, 1)
        )
        assert late is not None
        assert early is not None
        found = lag_difference(late, _drawn(late), early, _drawn(early))
        assert found.estimate == pytest.approx(5, abs=0.05)
        assert found.p("greater") < 1e-6
        covered.append(found.low <= 5 <= found.high)
    assert 33 <= sum(covered) < 40  # 38 in the mean; of intervals that are too wide 40


def test_parameters_that_do_not_move_are_left_out() -> None:
    rng = np.random.default_rng(6)
    step, gradient = rng.standard_normal((100, 3)), rng.standard_normal((100, 3))
    whole = lag_curve(step, gradient)
    more = lag_curve(np.column_stack([step, np.zeros(100)]), np.column_stack([gradient, np.ones(100)]))
    assert whole is not None
    assert more is not None
    np.testing.assert_allclose(more.correlation, whole.correlation)
    assert lag_curve(np.zeros((100, 2)), gradient[:, :2]) is None
    with pytest.raises(ArgumentError, match="both be"):
        lag_curve(step, gradient[:50])


def test_counts_are_of_whole_samples() -> None:
    counts = resample_counts(120, np.random.default_rng(0), 50)
    assert counts.shape == (50, 120)
    np.testing.assert_array_equal(counts.sum(1), 120)


def _pair_of_layers(rng: np.random.Generator, momenta: tuple[float, float], length: int = 400):  # type: ignore[no-untyped-def]
    """Curves and resamples of two layers that follow their gradients by momentum."""
    found = []
    counts = resample_counts(length, rng, 99)
    for momentum in momenta:
        gradient = rng.standard_normal((length, 20))
        noise = rng.standard_normal((length, 20))
        curve = lag_curve(lfilter([1.0], [1.0, -momentum], noise - gradient, axis=0), gradient)
        assert curve is not None
        found.append((curve, counts @ curve.products / length))
    return found


def test_equal_delays_are_seldom_called_different() -> None:
    rng = np.random.default_rng(5)
    p = []
    for _ in range(120):
        (one, drawn), (rest, drawn_rest) = _pair_of_layers(rng, (0.8, 0.8))
        p.append(delay_difference(one, drawn, rest, drawn_rest).p("two-sided"))
    assert np.mean(np.array(p) <= 0.05) <= 0.07 + 3 * np.sqrt(0.05 * 0.95 / 120)


def test_longer_delay_is_found_and_measured() -> None:
    found, covered, equal, shorter = 0, 0, 0, 0
    for seed in range(30):
        (one, drawn), (rest, drawn_rest) = _pair_of_layers(np.random.default_rng(seed), (0.9, 0.5), 1000)
        longer = delay_difference(one, drawn, rest, drawn_rest)
        found += longer.p("greater") <= 0.05
        covered += longer.low <= 0.9 / 0.1 - 1 <= longer.high
        equal += mean_delay(rest, drawn_rest, null=1.0).p("two-sided") > 0.05
        shorter += mean_delay(rest, drawn_rest, null=9.0).p("less") <= 0.05
    assert found >= 20
    assert min(covered, equal) >= 25  # 28.5 in the mean
    assert shorter >= 20
