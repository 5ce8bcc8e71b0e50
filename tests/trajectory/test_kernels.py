"""The compiled kernels against numpy, and what happens where machine code cannot be kept."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trajectory.made_runs import special_words, tensor

from lca_analysis.trajectory.blocks import lay_out
from lca_analysis.trajectory.prediction import MOMENTUM, NONE, STEP
from lca_analysis.trajectory.residuals import fold, fold_plainly, unfold, unfold_plainly
from lca_analysis.trajectory.state import BlockState, Coding
from lca_analysis.trajectory.words import FORMATS

MOMENTA = [0.0, 0.9, -0.5, 1e-40, 1e30, 1e308, float("inf"), float("nan")]


def points(dtype, seed, size=64):
    """Three points with special values, random bits and small steps among them."""
    rng, form = np.random.default_rng(seed), FORMATS[dtype]
    drawn = np.frombuffer(rng.bytes(3 * size * form.word.itemsize), form.word).reshape(3, size).copy()
    drawn[1, : size // 2] = drawn[0, : size // 2] + form.word.type(3)
    drawn[2, : size // 2] = drawn[1, : size // 2] + form.word.type(2)
    odd = rng.random((3, size)) < 0.3
    drawn[odd] = rng.choice(special_words(dtype).view(form.word), odd.sum())
    return drawn


def state_at(block, before, last):
    state = BlockState(block, Coding())
    state.before[:], state.words[:] = before, last
    return state


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 2**32 - 1),
    st.lists(st.sampled_from([NONE, STEP, MOMENTUM]), min_size=3, max_size=3),
    st.lists(st.sampled_from(MOMENTA) | st.floats(-2, 2), min_size=3, max_size=3),
)
def test_kernels_do_what_numpy_does_to_the_bit(dtype, seed, predictors, momenta):
    (block,) = lay_out([tensor("u", (30,), dtype), tensor("v", (1,), dtype), tensor("w", (33,), dtype)])
    before, last, words = points(dtype, seed)
    compiled, plain = (state_at(block, before, last) for _ in range(2))
    found, expected = np.empty_like(words), np.empty_like(words)
    with np.errstate(all="ignore"):
        fold(compiled, words, predictors, momenta, found)
        fold_plainly(plain, words, predictors, momenta, expected)
    assert np.array_equal(found, expected)
    assert np.array_equal(compiled.words, words)
    assert np.array_equal(plain.before, words)
    for undo in (
        lambda state: unfold(state, predictors, momenta, found),
        lambda state: unfold_plainly(state, predictors, momenta, found),
    ):
        state = state_at(block, before, last)
        with np.errstate(all="ignore"):
            undo(state)
        assert np.array_equal(state.before, words)


CODE = """
import sys
from pathlib import Path
from trajectory.made_runs import manifest, random_walk, read_back, tensor, write
points = [{"a.weight": w} for w in random_walk(5000, 6)]
assert "numba" not in sys.modules
read_back(write(Path(sys.argv[1]) / "run", manifest([tensor("a.weight", (5000,))]), points), points)
from lca_analysis.trajectory.kernels import fold
print(len(fold.stats.cache_hits), len(fold.stats.cache_misses), fold.stats.cache_path)
"""


@pytest.mark.parametrize("place", ["nowhere", "full"])
def test_runs_are_coded_where_machine_code_cannot_be_kept(tmp_path, place):
    """A cache folder that cannot be made, and one that refuses every file."""
    (tmp_path / "file").touch()
    locators = "numba.core.caching.CacheImpl._locator_classes"
    change = {
        "nowhere": f"import numba.core.caching; {locators} = []\n",
        "full": "import numba.core.caching as c\ndef refuse(*a): raise OSError(28, 'No space left on device')\n"
        "c.IndexDataCacheFile.save = refuse\nc.IndexDataCacheFile.load = lambda *a: None\n",
    }[place]
    code = f"{change}\n{CODE}".replace('assert "numba" not in sys.modules\n', "")
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_numba_is_loaded_only_to_code_a_run(tmp_path):
    run = subprocess.run([sys.executable, "-c", CODE, str(tmp_path)], env=environment(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}
