"""Sums over iterations: bins, flips, and ranges joined anywhere."""

import itertools

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn

from lca_analysis.allocation import accumulators
from lca_analysis.allocation.accumulators import Accumulators
from lca_analysis.allocation.histogram import SLAB, WIDTH, add_to_histogram, columns_of
from lca_analysis.allocation.layout import lay_out_parameters
from lca_analysis.allocation.part_rows import Update
from lca_analysis.allocation.step import AllocatedStep
from lca_analysis.errors import CorruptError
from lca_analysis.recording.tensors import describe_tensors
from lca_analysis.store import BINS, bin_numbers

MODEL = nn.Sequential(nn.Linear(1, 2), nn.Linear(1, 1))
LAYOUT = lay_out_parameters(describe_tensors(MODEL), [MODEL[0], MODEL[0], MODEL[1], MODEL[1]])
SIZE = 6
NO_UPDATE = Update([], torch.empty(0))
VALUES = st.sampled_from([-1.5, -1e-3, 0.0, -0.0, 2e-5, 0.7])


def make_steps(steps, gradients):
    """Give allocated steps of rows of Δ and ḡ."""
    made = []
    for number, (step, gradient) in enumerate(zip(torch.tensor(steps), torch.tensor(gradients), strict=True)):
        made.append(AllocatedStep(number, number + 1, step, step, gradient, step * gradient, None, NO_UPDATE))
    return made


def accumulate(steps):
    """Take steps in."""
    total = Accumulators.zeros(LAYOUT)
    for step in steps:
        total.add(step, LAYOUT)
    return total


def test_bins_are_those_of_the_store_and_of_the_oracle():
    edges = 10.0 ** (-16 + np.arange(161) / 8)
    beside = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, np.inf)])
    rng = np.random.default_rng(0)
    values = np.concatenate([beside, -beside, rng.standard_t(1, 500) * 1e-6, [0.0, -0.0, 1e-300, -1e300, 5e-324]])
    for kind in (np.float64, np.float32):
        with np.errstate(over="ignore"):
            converted = values.astype(kind)
        converted = converted[np.isfinite(converted)]
        found = columns_of(converted).astype(int) - BINS
        assert (found == bin_numbers(converted)).all()
        # On an edge the oracle's own powers may round to the other side.
        gaps = np.abs(np.abs(converted.astype(float))[:, None] - edges)
        clear = (gaps > 1e-12 * edges).all(1)
        assert found[clear].tolist() == [oracles.bin_number(float(value)) for value in converted[clear]]
        assert clear.sum() > 500


def test_a_long_vector_is_counted_whole():
    values = torch.from_numpy(np.random.default_rng(1).standard_t(2, 2 * SLAB + 7)).float() * 1e-6
    counts, sums = torch.zeros(WIDTH, dtype=torch.int64), torch.zeros(WIDTH, dtype=torch.float64)
    add_to_histogram(values, counts, sums)
    bins = bin_numbers(values.numpy()) + BINS
    assert counts.tolist() == np.bincount(bins, minlength=WIDTH).tolist()
    np.testing.assert_allclose(sums, np.bincount(bins, values.numpy(), minlength=WIDTH), rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float64, (7, SIZE), elements=VALUES),
    arrays.arrays(np.float64, (7, SIZE), elements=VALUES),
    st.lists(st.integers(0, 7), max_size=3),
)
def test_ranges_joined_anywhere_are_the_whole(steps, gradients, cuts):
    made = make_steps(steps, gradients)
    bounds = [0, *sorted(cuts), 7]
    joined = Accumulators.zeros(LAYOUT)
    for begin, end in itertools.pairwise(bounds):
        joined.merge(accumulate(made[begin:end]))
    for name, wanted in vars(accumulate(made)).items():
        torch.testing.assert_close(getattr(joined, name), wanted, rtol=1e-12, atol=1e-15)
    lca = steps * gradients
    for i in range(SIZE):
        assert joined.step_flips[i] == oracles.flips(steps[:, i])
        assert joined.gradient_flips[i] == oracles.flips(gradients[:, i])
        assert joined.n_helping[i] == sum(a < 0 for a in lca[:, i])
        assert joined.n_hurting[i] == sum(a > 0 for a in lca[:, i])


def test_damaged_files_are_named(tmp_path):
    accumulate([]).save(tmp_path / "sums.npz")
    torch.testing.assert_close(Accumulators.load(tmp_path / "sums.npz").sums, Accumulators.zeros(LAYOUT).sums)
    (tmp_path / "sums.npz").write_bytes((tmp_path / "sums.npz").read_bytes()[:200])
    with pytest.raises(CorruptError, match=r"sums\.npz is damaged"):
        Accumulators.load(tmp_path / "sums.npz")


def test_parameters_come_in_pieces_in_the_order_of_the_table(monkeypatch):
    monkeypatch.setattr(accumulators, "PIECE", 2)
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    layout = lay_out_parameters(describe_tensors(model), [model[0], model[0], model[1], model[1]])
    total = Accumulators.zeros(layout)
    total.helping -= torch.arange(layout.size) + 1
    total.hurting += 0.5
    total.step_flips += torch.arange(layout.size, dtype=torch.int32)
    pieces = list(total.parameter_pieces(layout))
    assert max(len(piece["index"]) for piece in pieces) == 2
    rows = [(piece["tensor"], int(index)) for piece in pieces for index in piece["index"]]
    assert rows == sorted((name, index) for name, tensor in model.named_parameters() for index in range(tensor.numel()))
    places = {"0.weight": 0, "0.bias": 6, "1.weight": 8, "1.bias": 10}
    expected = [places[name] + index for name, index in rows]
    assert np.concatenate([piece["step_flips"] for piece in pieces]).tolist() == expected
    assert np.concatenate([piece["lca"] for piece in pieces]).tolist() == [-number - 0.5 for number in expected]
