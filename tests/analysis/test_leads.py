import numpy as np
import pytest

from lca_analysis.analysis.leads import MIN_NEAR, REACH, lead
from lca_analysis.analysis.peaks import deepest_minima


def test_planted_lead_is_found_and_measured() -> None:
    rng = np.random.default_rng(0)
    first = rng.choice(np.arange(0, 2000, 40), 20, replace=False)
    second = (first + 3) % 2000
    found = lead(first, second, 2000, np.arange(2000))
    assert found.estimate == pytest.approx(3)
    assert (found.low, found.high) == (pytest.approx(3), pytest.approx(3))
    assert found.p <= 0.01
    other = lead(second, first, 2000, np.arange(2000))
    assert other.estimate == -found.estimate
    assert other.p == found.p


@pytest.mark.parametrize(
    ("length", "shifts"),
    [(20, range(20)), (33, range(33)), (33, range(20)), (60, range(60)), (60, range(20)), (60, range(0, 60, 2))],
)
def test_against_a_slow_loop(length: int, shifts: range) -> None:
    rng = np.random.default_rng(1)
    first, second = (rng.choice(length, 8, replace=False) for _ in range(2))

    def gaps(shift: int) -> list[list[int]]:
        def one(s: int, t: int) -> int:
            gap = (int(t) + shift - int(s)) % length
            return gap if gap < length / 2 else gap - length

        return [[one(s, t) for t in second] for s in first]

    def statistic(shift: int) -> int:
        return sum(int(np.sign(g)) * max(REACH + 1 - abs(g), 0) for row in gaps(shift) for g in row)

    found = lead(first, second, length, np.array(shifts))
    means = [np.mean([g for g in row if abs(g) <= REACH]) for row in gaps(0) if min(map(abs, row)) <= REACH]
    assert found.near == len(means)
    assert found.estimate == pytest.approx(np.mean(means))
    assert found.p == np.mean([abs(statistic(s)) >= abs(statistic(0)) for s in shifts])


def test_independent_layers_seldom_lead() -> None:
    rng = np.random.default_rng(2)
    p = []
    while len(p) < 300:
        one, other = (deepest_minima(column) for column in rng.standard_normal((2, 300)))
        found = lead(one, other, 300, np.arange(300))
        if found.reason is None:
            p.append(found.p)
    rate = np.mean(np.array(p) <= 0.05)
    error = 3 * np.sqrt(0.05 * 0.95 / 300)
    assert 0.03 - error <= rate <= 0.07 + error


def test_too_few_near_moments_are_refused() -> None:
    found = lead(np.array([5, 500]), np.array([6, 501]), 1000, np.arange(1000))
    assert f"at least {MIN_NEAR} moments" in str(found.reason)
    assert np.isnan(found.p)
    assert lead(np.zeros(0, int), np.array([3]), 100, np.arange(100)).near == 0


def test_few_shifts_are_refused() -> None:
    moments = np.arange(0, 100, 10)
    assert "19 shifts cannot reach p ≤ 0.05" in str(lead(moments, moments + 1, 100, np.arange(-9, 10)).reason)
    assert lead(moments, moments + 1, 100, np.arange(-10, 10)).reason is None
