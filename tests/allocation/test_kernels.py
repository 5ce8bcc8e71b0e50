"""The compiled inner loops against numpy, at lengths around their lanes."""

import numpy as np
import pytest

from lca_analysis.allocation import kernels

SIZES = [0, 1, kernels.LANES - 1, kernels.LANES, kernels.LANES + 1, 1000]
CLOSE = {"rtol": 1e-13, "atol": 1e-13}


@pytest.fixture(params=[np.float32, np.float64])
def dtype(request):
    return request.param


def vectors(count, size, dtype):
    """Numbers of both signs, one in five of them 0."""
    generator = np.random.default_rng(size)
    found = generator.standard_normal((count, size)) * (generator.random((count, size)) > 0.2)
    return list(found.astype(dtype))


@pytest.mark.parametrize("size", SIZES)
def test_allocation_and_its_sums(size, dtype):
    before, after, gradient = vectors(3, size, dtype)
    moved, lca, sums, counts = np.empty(size, dtype), np.empty(size, dtype), np.ones(4), np.ones(2, np.int64)
    kernels.allocate(before, after, gradient, moved, lca)
    kernels.sum_stretch(moved, gradient, lca, sums, counts)
    np.testing.assert_array_equal(moved, after - before)
    np.testing.assert_array_equal(lca, moved * gradient)
    wide = lca.astype(np.float64)
    wanted = [wide[wide < 0].sum(), wide[wide > 0].sum(), *((v.astype(float) ** 2).sum() for v in (moved, gradient))]
    np.testing.assert_allclose(sums - 1, wanted, **CLOSE)
    assert (counts - 1).tolist() == [(lca < 0).sum(), (lca > 0).sum()]


def test_sums_by_tensor(dtype):
    before, after, gradient = vectors(3, sum(SIZES), dtype)
    stops, found = np.cumsum(SIZES), np.empty(len(SIZES))
    kernels.sum_by_tensor(before, after, gradient, stops, found)
    products = ((after - before) * gradient).astype(np.float64)
    wanted = [part.sum() for part in np.split(products, stops[:-1])]
    np.testing.assert_allclose(found, wanted, **CLOSE)


@pytest.mark.parametrize("size", SIZES)
def test_sum_of_products(size, dtype):
    left, right = vectors(2, size, dtype)
    wanted = (left * right).astype(np.float64).sum()
    np.testing.assert_allclose(kernels.sum_of_products(left, right), wanted, **CLOSE)


def test_momentum_buffers_of_moving_tensors(dtype):
    buffer, before, after = vectors(3, sum(SIZES), dtype)
    stops, moving = np.cumsum(SIZES), np.empty(len(SIZES), bool)
    after[stops[2] : stops[3]] = before[stops[2] : stops[3]]
    kernels.find_moving(before, after, stops, moving)
    assert moving.tolist() == [False, True, True, False, True, True]
    factors = np.arange(1, 1 + 3 * len(SIZES)).reshape(-1, 3).astype(dtype)
    wanted = []
    for number, part in enumerate(np.split(np.arange(sum(SIZES)), stops[:-1])):
        by_step, by_weight, by_buffer = factors[number] if moving[number] else np.array([0, 0, 1], dtype)
        wanted.append(buffer[part] * by_buffer + (after - before)[part] * by_step + before[part] * by_weight)
    kernels.follow_buffers(buffer, before, after, stops, factors, moving)
    np.testing.assert_array_equal(buffer, np.concatenate(wanted).astype(dtype))


def test_what_is_not_a_number_moves(dtype):
    before, moving = np.array([1, np.nan], dtype), np.zeros(2, bool)
    kernels.find_moving(before, before.copy(), np.array([1, 2]), moving)
    assert moving.tolist() == [False, True]


@pytest.mark.parametrize("size", SIZES)
def test_a_weighted_sum(size, dtype):
    first, second = vectors(2, size, dtype)
    out, factors = np.empty(size, dtype), np.array([0.25, -3], dtype)
    kernels.blend(first, second, factors, out)
    np.testing.assert_array_equal(out, first * factors[0] + second * factors[1])
