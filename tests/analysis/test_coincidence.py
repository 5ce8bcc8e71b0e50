from itertools import combinations, product
from statistics import NormalDist

import numpy as np
import pytest

from lca_analysis.analysis import coincidence
from lca_analysis.analysis.coincidence import (
    coincidence_test,
    counts_of,
    local_scores,
    pair_p_values,
    shared_scores,
)
from lca_analysis.analysis.peaks import deepest_minima
from lca_analysis.analysis.residual_coincidence import residual_coincidence_test
from lca_analysis.analysis.residual_series import relative_to_pace, residual_series


def _gaps(peaks: list[np.ndarray], length: int) -> np.ndarray:
    """Distances on the ring between the moments of different layers, by hand."""
    gaps = []
    for a in range(len(peaks)):
        for b in range(a + 1, len(peaks)):
            for s, t in product(peaks[a], peaks[b]):
                gap = abs(int(s) - int(t)) % length
                gaps.append(min(gap, length - gap))
    return np.array(gaps, int)


def _pairs(peaks: list[np.ndarray], length: int, tolerance: int) -> int:
    """Count shared moments by hand."""
    return int((_gaps(peaks, length) <= tolerance).sum())


def _order(peaks: list[np.ndarray], length: int, tolerance: int) -> tuple[int, int]:
    """Shared moments, then the closeness that breaks ties, by hand."""
    gaps = _gaps(peaks, length)
    return int((gaps <= tolerance).sum()), int(np.clip(coincidence.CLOSE + tolerance - gaps, 0, None).sum())


def _random_peaks(seed: int, length: int, layers: int, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.choice(length, count, replace=False) for _ in range(layers)]


@pytest.mark.parametrize("tolerance", [0, 1, 3])
@pytest.mark.parametrize("layers", [2, 3])
def test_exact_null_against_brute_force(tolerance: int, layers: int) -> None:
    length = 13
    peaks = _random_peaks(tolerance, length, layers, 4)
    found = coincidence_test(shared_scores(peaks, length, tolerance), np.random.default_rng(0))
    orders = [
        _order([(p + s) % length for p, s in zip(peaks, shifts, strict=True)], length, tolerance)
        for shifts in product(range(length), repeat=layers)
    ]
    totals, observed = [order[0] for order in orders], _order(peaks, length, tolerance)
    assert found.exact
    assert found.observed == observed[0]
    assert found.p == pytest.approx(np.mean([order >= observed for order in orders]))
    assert found.expected == pytest.approx(np.mean(totals))
    assert found.deviation == pytest.approx(np.std(totals))


def _mirrored(places: np.ndarray, shift: int, length: int) -> np.ndarray:
    """Shift a layer's moments in a run that is mirrored at its ends, by hand."""
    marked = np.zeros(length)
    marked[places] = 1
    padded = np.concatenate([marked[::-1], marked, marked[::-1]])
    return np.flatnonzero(padded[length - shift : 2 * length - shift])


def _order_in_run(peaks: list[np.ndarray], tolerance: int) -> tuple[int, int]:
    """As `_order`, where the ends of the run are no neighbours."""
    gaps = np.concatenate([np.abs(a[:, None] - b).ravel() for a, b in combinations(peaks, 2)])
    return int((gaps <= tolerance).sum()), int(np.clip(coincidence.CLOSE + tolerance - gaps, 0, None).sum())


@pytest.mark.parametrize("tolerance", [0, 2])
def test_local_null_against_brute_force(tolerance: int) -> None:
    length, shifts = 17, range(-2, 3)
    peaks = [np.unique([0, 16, *own]) for own in _random_peaks(3, length, 3, 5)]  # at the ends too
    found = coincidence_test(local_scores(peaks, length, (2, 2), tolerance), np.random.default_rng(0))
    orders = [
        _order_in_run([_mirrored(p, s, length) for p, s in zip(peaks, moved, strict=True)], tolerance)
        for moved in product(shifts, repeat=3)
    ]
    observed = _order_in_run(peaks, tolerance)
    assert found.exact
    assert (found.draws, found.observed) == (125, observed[0])
    assert found.expected == pytest.approx(np.mean([count for count, _ in orders]))
    assert found.p == pytest.approx(np.mean([order >= observed for order in orders]))


def test_local_monte_carlo_agrees_with_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = local_scores(_random_peaks(1, 100, 3, 15), 100, (6, 6))
    exact = coincidence_test(scores, np.random.default_rng(0))
    monkeypatch.setattr(coincidence, "_MOST_ENUMERATED", 10)
    drawn = coincidence_test(scores, np.random.default_rng(0))
    assert not drawn.exact
    assert drawn.p == pytest.approx(exact.p, abs=0.02)
    assert drawn.expected == pytest.approx(exact.expected, rel=0.02)


def test_local_shifts_keep_the_moments_of_a_run_that_learns_early() -> None:
    rng, length, more = np.random.default_rng(0), 200, []
    for _ in range(300):
        peaks = [np.unique(rng.exponential(20, 20).astype(int)) for _ in range(3)]
        found = coincidence_test(local_scores(peaks, length, (4, 4)), rng)
        more.append(found.observed - found.expected)
    assert np.mean(more) == pytest.approx(0, abs=4 * np.std(more) / np.sqrt(300))  # on a ring 1.3 too many


def test_monte_carlo_agrees_with_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = _random_peaks(1, 100, 3, 15)
    peaks[1][:3] = peaks[0][:3]
    counts = shared_scores(peaks, 100)
    exact = coincidence_test(counts, np.random.default_rng(0))
    monkeypatch.setattr(coincidence, "_MOST_ENUMERATED", 10)
    drawn = coincidence_test(counts, np.random.default_rng(0))
    assert not drawn.exact
    assert drawn.p == pytest.approx(exact.p, abs=0.02)
    assert drawn.expected == pytest.approx(exact.expected, rel=0.02)
    assert drawn.tail_p == pytest.approx(exact.tail_p, rel=0.3)


def test_p_is_never_zero() -> None:
    same = [np.arange(0, 400, 20)] * 6
    found = coincidence_test(shared_scores(same, 401), np.random.default_rng(0))
    assert found.observed == 15 * 20
    assert found.p == 1 / (coincidence.MONTE_CARLO + 1)
    assert 0 < found.tail_p < 1e-6


def test_tail_is_close_to_the_null_where_both_are_known() -> None:
    peaks = _random_peaks(5, 300, 3, 20)
    counts = shared_scores(peaks, 300)
    null = counts_of(coincidence._all_totals(counts, 3))
    for level in (6, 8, 10):
        assert coincidence._pearson_tail(null, level) == pytest.approx((null >= level).mean(), rel=0.35)


def test_pairs_against_brute_force() -> None:
    length = 31
    peaks = _random_peaks(2, length, 3, 6)
    found = pair_p_values(shared_scores(peaks, length))
    local = pair_p_values(local_scores(peaks, length, (0, 10)))
    for place, (a, b) in enumerate(((0, 1), (0, 2), (1, 2))):
        observed = _order([peaks[a], peaks[b]], length, 0)
        reached = [_order([peaks[a], (peaks[b] + s) % length], length, 0) >= observed for s in range(length)]
        assert found[place] == pytest.approx(np.mean(reached))
        observed = _order_in_run([peaks[a], peaks[b]], 0)
        moved = [_order_in_run([peaks[a], _mirrored(peaks[b], s, length)], 0) for s in range(-10, 11)]
        assert local[place] == pytest.approx(np.mean([order >= observed for order in moved]))


def test_pairs_by_few_shifts_have_no_p() -> None:
    scores = local_scores(_random_peaks(2, 100, 3, 6), 100, (0, 9))
    assert np.isnan(pair_p_values(scores)).all()  # 19 shifts: at least 0.053
    assert "smallest possible is 0.053" in str(coincidence.too_few_shifts(scores[0].size))
    assert np.isfinite(pair_p_values(local_scores(_random_peaks(2, 100, 3, 6), 100, (0, 10)))).all()


def _scores_by_hand(column: np.ndarray) -> np.ndarray:
    """Give each value the normal quantile of its place, counted from below and shared by equal ones."""
    places = [(column < value).sum() + ((column == value).sum() + 1) / 2 for value in column]
    return np.array([NormalDist().inv_cdf((place - 0.5) / len(column)) for place in places])


def _residual_by_hand(losses: np.ndarray, scores: np.ndarray, layer: int) -> np.ndarray:
    """Regress one layer's scores on both totals of the others by QR; 0 where nothing but rounding errors is left."""
    others = [np.delete(values, layer, axis=1).sum(1) for values in (losses, scores)]
    design = np.column_stack([np.ones(len(losses)), *others])
    left = scores[:, layer] - design @ np.linalg.lstsq(design, scores[:, layer], rcond=1e-9)[0]
    return left if np.abs(left).max() > 1e-9 else np.zeros(len(left))


@pytest.mark.parametrize("reach", [None, 5])
@pytest.mark.parametrize("tolerance", [0, 2])
@pytest.mark.parametrize("ties", [False, True])
def test_residual_test_against_a_slow_loop(tolerance: int, reach: int | None, ties: bool) -> None:
    length = 150 if ties else 60  # with more than 20 minima, the 20th tied with others
    series = np.random.default_rng(4).standard_normal((length, 3))
    if ties:  # few values, and a layer that does not move, so that its residual is the others'
        series = np.sign(series)
        series[:, 2] = 0
    found = residual_coincidence_test(series, np.random.default_rng(9), reach, draws=20, tolerance=tolerance)
    starts = np.random.default_rng(9).integers(length if reach is None else 2 * reach + 1, size=(20, 3))

    def window(column: np.ndarray, start: int) -> np.ndarray:
        if reach is None:
            return np.roll(column, -start)
        padded = np.concatenate([column[:reach][::-1], column, column[-reach:][::-1]])
        return padded[start : start + length]

    def score(losses: np.ndarray, scores: np.ndarray) -> tuple[int, int]:
        residuals = [_residual_by_hand(losses, scores, layer) for layer in range(3)]
        places = [deepest_minima(residual) for residual in residuals]
        near = [_gaps([one, one], length) for one in places]
        own = sum(np.clip(coincidence.CLOSE + tolerance - gap[gap > 0], 0, None).sum() / 2 for gap in near)
        count, close = _order(places, length, tolerance)
        return count, close + int(own)

    series = relative_to_pace(series)
    scored = np.column_stack([_scores_by_hand(column) for column in series.T])

    def moved(row: np.ndarray) -> list[np.ndarray]:
        """Shift losses and scores alike."""
        return [np.column_stack([window(c, s) for c, s in zip(x.T, row, strict=True)]) for x in (series, scored)]

    null = [score(*moved(row)) for row in starts]
    observed = score(series, scored)
    assert found.observed == observed[0]
    assert found.expected == pytest.approx(np.mean([count for count, _ in null]))
    assert found.p == pytest.approx((sum(one >= observed for one in null) + 1) / 21)


def test_layers_without_moments() -> None:
    found = coincidence_test(shared_scores([np.zeros(0, int), np.zeros(0, int)], 50), np.random.default_rng(0))
    assert found.p == 1
    assert np.isnan(found.tail_p)


def test_residual_test_does_not_take_shared_totals_for_synchrony() -> None:
    rng = np.random.default_rng(0)
    series = rng.standard_normal((300, 6)) + 3 * rng.standard_normal((300, 1))
    counts = shared_scores([deepest_minima(column) for column in series.T], 300)
    assert coincidence_test(counts, rng).p < 0.001
    assert residual_coincidence_test(series, rng, draws=199).p > 0.05


def test_residual_test_does_not_take_a_shared_shock_for_synchrony() -> None:
    rng = np.random.default_rng(2)
    found = []
    for _ in range(20):
        series = rng.standard_t(3, (1000, 8)) + rng.standard_t(3, (1000, 1))
        found.append(residual_coincidence_test(series, rng, draws=99).p)
    assert min(found) > 0.05  # where losses are regressed on losses: in a quarter of such runs


def test_residual_test_does_not_take_a_few_shared_drops_for_synchrony() -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(20):
        series = rng.standard_normal((500, 5))
        series[rng.choice(500, 4, replace=False)] -= 12
        found.append(residual_coincidence_test(series, rng, draws=99).p)
    assert np.mean(np.array(found) <= 0.05) <= 0.1  # of scores on scores alone, and of losses on losses: in all


def test_residual_test_finds_synchrony_beyond_the_total() -> None:
    rng = np.random.default_rng(1)
    series = rng.standard_normal((300, 6))
    for pair in range(3):
        series[3 + 4 * pair :: 20, 2 * pair : 2 * pair + 2] -= 6
    found = residual_coincidence_test(series, rng, draws=199)
    assert found.p <= 0.05
    residual = [deepest_minima(column) for column in residual_series(series).T]
    assert found.observed == _pairs(residual, 300, 0)
    assert not found.exact
