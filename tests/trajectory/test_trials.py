"""What predictors would cost: the compiled kernel finds what numpy finds, to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trajectory.made_runs import random_walk, tensor
from trajectory.test_kernels import points, state_at

from lca_analysis.trajectory.blocks import lay_out
from lca_analysis.trajectory.choice import PredictorChoice
from lca_analysis.trajectory.trials import momentum_mode, try_out, try_out_plainly
from lca_analysis.trajectory.words import word_format


def walk(dtype, seed, scale):
    """Three points of a walk with a momentum, a third of which moves by momentum alone."""
    rng = np.random.default_rng(seed)
    start, step = rng.normal(size=64), scale * rng.normal(size=64)
    kicks = np.where(np.arange(64) % 3 == 0, 0, scale * rng.normal(size=64))
    three = np.array([start, start + step, start + step + 0.9 * step + kicks]).astype(dtype)
    return three.view(word_format(dtype).word)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2),
    st.sampled_from([0.0, 1e-7, 1e-3, 1e30]),
)
def test_the_kernel_finds_what_numpy_finds(dtype, seed, turn, scale):
    (block,) = lay_out([tensor("u", (30,), dtype), tensor("v", (1,), dtype), tensor("w", (33,), dtype)])
    before, last, words = walk(dtype, seed, scale) if scale else points(dtype, seed)
    state, sample, momenta = state_at(block, before, last), PredictorChoice(block)._sample, np.array([0.9, 0.5, -1.0])
    with np.errstate(all="ignore"):
        found = try_out(state, words, sample, momenta, turn)
        expected = try_out_plainly(state, words, sample, momenta, turn)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)


def test_the_kernel_finds_the_momentum_of_a_block_and_of_one_piece():
    (block,) = lay_out([tensor("u", (3000,)), tensor("v", (300,))])
    slow, fast = random_walk(3000, 9, seed=1, momentum=0.9), random_walk(300, 9, seed=2, momentum=0.5)
    *_, before, last, words = (np.concatenate(both).view(np.uint32) for both in zip(slow, fast, strict=True))
    momenta, costs = try_out(state_at(block, before, last), words, PredictorChoice(block)._sample, np.zeros(2), 1)
    assert momenta[3:].tolist() == pytest.approx(np.array([[0.9, 0.9], [0.9, 0.9], [0.0, 0.5]]), abs=2e-3)
    assert costs.argmin(axis=0).tolist() in ([3, 5], [4, 5])


def test_few_or_dull_ratios_are_no_mode():
    form = word_format("float32")
    still = np.ones(100, np.float32).view(np.uint32)
    assert momentum_mode(still, still, still, form) is None
    moved = [np.arange(3, dtype=np.float32).view(np.uint32) + n for n in range(3)]
    assert momentum_mode(moved[2], moved[1], moved[0], form) is None
