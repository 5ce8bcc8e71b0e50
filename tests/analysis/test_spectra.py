import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from lca_analysis.analysis.spectra import background, segment_length, spectra, spectral_lca
from lca_analysis.errors import ArgumentError


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 130), st.integers(1, 5), st.integers(0, 2**32 - 1), st.floats(-12, 3))
def test_spectral_lca_sums_to_the_lca(length: int, parameters: int, seed: int, exponent: float) -> None:
    rng = np.random.default_rng(seed)
    step, gradient = (10**exponent * (rng.standard_normal((length, parameters)) + 0.3) for _ in range(2))
    assert spectral_lca(step, gradient).sum() == pytest.approx(
        (step * gradient).sum(), rel=1e-10, abs=1e-12 * 10 ** (2 * exponent)
    )


@pytest.mark.parametrize("length", [64, 101, 400, 733])
def test_coarse_grid_keeps_the_sum(length: int) -> None:
    rng = np.random.default_rng(length)
    step = rng.standard_normal((length, 7)) * 1e-3
    gradient = -step + rng.standard_normal((length, 7)) * 1e-3
    assert spectra(step, gradient).lca.sum() == pytest.approx((step * gradient).sum(), rel=1e-10)


def test_spectral_lca_lies_at_the_frequency_that_makes_it() -> None:
    time = np.arange(256)[:, None]
    wave, other = np.cos(2 * np.pi * time * 8 / 256), np.cos(2 * np.pi * time * 50 / 256)
    found = spectral_lca(0.5 * wave + other, -wave)
    assert found[8] == pytest.approx(-0.5 * 128)
    np.testing.assert_allclose(np.delete(found, 8), 0, atol=1e-10)


def test_coarse_grid_puts_frequencies_in_their_place() -> None:
    time = np.arange(500)[:, None]
    wave = np.cos(2 * np.pi * 0.3 * time)
    found = spectra(wave, -wave)
    assert found.frequency[found.lca.argmin()] == pytest.approx(0.3, abs=0.5 / segment_length(500))


def test_power_of_white_noise_and_of_ar1() -> None:
    rng = np.random.default_rng(3)
    noise = 0.1 * rng.standard_normal((4200, 60))
    smooth = lfilter([1.0], [1.0, -0.8], noise, axis=0)[200:]
    found = spectra(noise[200:], smooth)
    np.testing.assert_allclose(found.power_step[2:-2], 2 * 0.01, rtol=0.1)
    turn = np.exp(-2j * np.pi * found.frequency)
    truth = 2 * 0.01 / np.abs(1 - 0.8 * turn) ** 2
    np.testing.assert_allclose(found.power_gradient[2:-2], truth[2:-2], rtol=0.15)
    np.testing.assert_allclose(background(smooth, found.frequency).mean(1), truth, rtol=0.1)


def test_unmoved_parameters_have_no_spectral_lca_and_no_warning() -> None:
    found = spectra(np.zeros((100, 3)), np.ones((100, 3)))
    np.testing.assert_array_equal(found.lca, 0)
    with pytest.raises(ArgumentError, match="both be"):
        spectra(np.zeros((10, 2)), np.zeros((10, 3)))
