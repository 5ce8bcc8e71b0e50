import numpy as np
import pytest
from scipy import signal, stats

from lca_analysis.analysis.coherence import at_largest, coherence_test
from lca_analysis.analysis.group_delay import group_delay
from lca_analysis.analysis.segments import HOP, Segments, pooled, segment_spectra
from lca_analysis.store import Store


def _segments(step: np.ndarray, gradient: np.ndarray, size: int) -> Segments:
    found = segment_spectra(step, gradient, size)
    assert found is not None
    return found


def _late(rng: np.random.Generator, length: int, delay: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps that follow the negative gradient of 10 parameters by a known delay."""
    gradient = rng.standard_normal((length, 10)) + 0.5 * rng.standard_normal((length, 1))
    return -np.roll(gradient, delay, axis=0) + noise * rng.standard_normal(gradient.shape), gradient


def test_one_parameter_is_as_in_scipy() -> None:
    step, gradient = np.random.default_rng(0).standard_normal((2, 500, 1))
    step -= 0.4 * gradient
    found = _segments(step, gradient, 64)
    overlap = 64 - int(HOP * 64)
    _, coherence = signal.coherence(-gradient[:, 0], step[:, 0], nperseg=64, noverlap=overlap)
    _, cross = signal.csd(-gradient[:, 0], step[:, 0], nperseg=64, noverlap=overlap)
    np.testing.assert_allclose(pooled(found)[0], coherence, rtol=1e-10)
    np.testing.assert_allclose(pooled(found)[1][1:-1], -np.angle(cross)[1:-1], rtol=1e-8)


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_phase_of_a_delayed_sinusoid(delay: int) -> None:
    time, phases = np.arange(1024)[:, None], np.random.default_rng(0).uniform(0, 2 * np.pi, 20)
    step, gradient = np.cos(2 * np.pi * (time - delay) / 16 + phases), -np.cos(2 * np.pi * time / 16 + phases)
    found = _segments(step, gradient, 256)
    coherence, phase = (values[256 // 16] for values in pooled(found))
    assert phase == pytest.approx(2 * np.pi * delay / 16, abs=1e-3)
    assert coherence == pytest.approx(1, abs=1e-3)


def test_known_delay_lies_in_the_intervals() -> None:
    rng = np.random.default_rng(1)
    inside, delays, estimates, halves = [], [], [], []
    for _ in range(60):
        found = _segments(*_late(rng, 1024, 2, 1.5), 128)
        test = coherence_test(found, rng)
        truth = 2 * np.pi * 2 * found.frequency
        apart = np.abs((test.phase_low + test.phase_high) / 2 - truth + np.pi) % (2 * np.pi) - np.pi
        inside.append((np.abs(apart) <= (test.phase_high - test.phase_low) / 2)[5:60:5])
        delay = group_delay(found)
        delays.append(delay.low <= 2 <= delay.high)
        assert delay.estimate == pytest.approx(2, abs=0.5)
        estimates.append(delay.estimate)
        halves.append((delay.high - delay.low) / 2 / stats.t.ppf(0.975, delay.n - 1))
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)
    assert np.mean(delays) == pytest.approx(0.95, abs=3 * np.sqrt(0.05 * 0.95 / 60))
    assert np.mean(halves) == pytest.approx(np.std(estimates), rel=0.4)


def test_coherence_lies_in_its_interval() -> None:
    rng = np.random.default_rng(2)
    truth = 1.25 / (1.25 + 1.5**2)  # of one parameter with its noise; the noise of others is independent
    inside = []
    for _ in range(60):
        test = coherence_test(_segments(*_late(rng, 1024, 0, 1.5), 128), rng)
        inside.append(((test.low <= truth) & (truth <= test.high))[5:60:5])
        assert (test.low <= test.coherence)[1:-1].all()
        assert (test.coherence <= test.high)[1:-1].all()
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_fieller_interval_holds_the_phases_that_are_not_rejected() -> None:
    rng = np.random.default_rng(3)
    found = _segments(*_late(rng, 800, 1, 2.0), 128)
    test = coherence_test(found, rng)
    for place in (7, 20, 41):
        for angle in (test.phase_low[place], test.phase_high[place]):
            turned = (found.cross[:, place] * np.exp(1j * angle)).imag
            assert stats.ttest_1samp(turned, 0).pvalue == pytest.approx(0.05, rel=1e-6)


def test_planted_coherence_is_found_at_its_frequency() -> None:
    rng = np.random.default_rng(4)
    step, gradient = rng.standard_normal((2, 1000, 10))
    wave = np.cos(2 * np.pi * 0.125 * np.arange(1000)[:, None] + 2 * np.pi * rng.random(10))
    found = _segments(step + 0.5 * wave, gradient - 0.5 * wave, 128)
    test = coherence_test(found, rng)
    place, coherence, phase = at_largest(found, test)
    assert found.frequency[place] == 0.125
    assert test.p[place] <= 0.002
    assert test.low[place] > coherence.low > 0
    assert phase.low <= 0 <= phase.high


def test_random_phases_by_hand() -> None:
    rng = np.random.default_rng(5)
    found = _segments(*rng.standard_normal((2, 400, 3)), 64)
    test = coherence_test(found, np.random.default_rng(6))
    angles = 2 * np.pi * np.random.default_rng(6).random((1999, len(found.cross)))
    inner = found.cross[:, 1:-1]

    def statistic(cross: np.ndarray) -> np.ndarray:
        return np.abs(cross.sum(0)) ** 2 / (np.abs(cross) ** 2).sum(0)

    null = np.array([statistic(inner * np.exp(1j * row)[:, None]).max() for row in angles])
    expected = [((null >= one).sum() + 1) / 2000 for one in statistic(inner)]
    np.testing.assert_allclose(test.p[1:-1], expected)
    assert np.isnan(test.p[[0, -1]]).all()


def test_what_cannot_be_tested_says_why() -> None:
    rng = np.random.default_rng(7)
    assert segment_spectra(np.zeros((300, 2)), rng.standard_normal((300, 2)), 64) is None
    short = coherence_test(_segments(*rng.standard_normal((2, 200, 2)), 32), rng)
    assert "of 64 steps are needed" in str(short.reason)
    assert np.isnan(short.p).all()
    assert np.isfinite(short.coherence).all()
    few = group_delay(_segments(*rng.standard_normal((2, 300, 2)), 64))
    assert "of 128 steps" in str(few.reason)
    assert np.isfinite(few.estimate)
    apart = np.zeros((2, 400, 1))
    apart[0, 10], apart[1, 300] = 1, 1  # never in one segment
    assert "no frequency" in str(coherence_test(_segments(*apart, 64), rng).reason)


def test_tables_have_coherence_with_interval_and_holm(analysed: Store) -> None:
    rows = analysed.table("results_oscillation", run="synthetic", split="train", quantity="coherence")
    assert rows["layer"].tolist() == ["fc1", "fc2", "fc3"]
    assert (rows["p_adjusted"] <= 0.01).all()
    assert (rows["replication"] == "segments").all()
    assert rows["subject"].str.startswith("period of ").all()
    phase = analysed.table("results_oscillation", run="synthetic", split="train", quantity="phase")
    assert phase["low"].notna().all()
    spectra = analysed.table("results_spectra", run="synthetic", split="train")
    inner = spectra[(spectra["frequency"] > 0) & (spectra["frequency"] < 0.5)]
    assert inner[["coherence_p", "coherence_low", "coherence_high"]].notna().all().all()
    assert spectra[spectra["frequency"] == 0]["coherence_p"].isna().all()
