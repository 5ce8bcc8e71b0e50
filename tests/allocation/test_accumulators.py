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

from lca_analysis.allocation import accumulators, scratch, stretches
from lca_analysis.allocation.accumulators import Accumulators
from lca_analysis.allocation.histogram import WIDTH, add_to_histogram
from lca_analysis.allocation.layout import lay_out_parameters
from lca_analysis.allocation.parameter_sums import TOTAL, count_type
from lca_analysis.allocation.part_rows import Update
from lca_analysis.allocation.step import AllocatedStep
from lca_analysis.errors import CorruptError
from lca_analysis.recording.tensors import describe_tensors
from lca_analysis.store import BINS, bin_numbers

MODEL = nn.Sequential(nn.Linear(1, 2), nn.Linear(1, 1))
LAYOUT = lay_out_parameters(describe_tensors(MODEL), [MODEL[0], MODEL[0], MODEL[1], MODEL[1]])
SIZE = 6
NO_UPDATE = Update([], np.empty(0))
VALUES = st.sampled_from([-1.5, -1e-3, 0.0, -0.0, 2e-5, 0.7])


def make_steps(steps, gradients):
    """Give allocated steps of rows of Δ and ḡ."""
    made = []
    for number, (step, gradient) in enumerate(zip(torch.tensor(steps), torch.tensor(gradients), strict=True)):
        made.append(AllocatedStep(number, number + 1, torch.zeros_like(step), step, gradient, None, NO_UPDATE))
    return made


def accumulate(steps, folder=None, counts=TOTAL):
    """Take steps in."""
    total = Accumulators(LAYOUT, folder, counts)
    for step in steps:
        for part in step.stretches(LAYOUT):
            total.add(part)
    return total


def vectors(total, layout=LAYOUT):
    """Put the sums of all stretches together."""
    parts = [{name: array.copy() for name, array in vars(total.of(part)).items()} for part in layout.stretches]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return found | {"counts": total.counts, "sums": total.sums}


def column_of(value):
    """Give the only column in which a value is counted."""
    counts, sums = np.zeros(WIDTH, np.int64), np.zeros(WIDTH)
    add_to_histogram(np.array([value]), counts, sums)
    (column,) = counts.nonzero()[0].tolist()
    assert sums[column] == value
    return column


def test_bins_are_those_of_the_store_and_of_the_oracle():
    edges = 10.0 ** (-16 + np.arange(161) / 8)
    beside = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, np.inf)])
    rng = np.random.default_rng(0)
    values = np.concatenate([beside, -beside, rng.standard_t(1, 500) * 1e-6, [0.0, -0.0, 1e-300, -1e300, 5e-324]])
    for kind in (np.float64, np.float32):
        with np.errstate(over="ignore"):
            converted = values.astype(kind)
        converted = converted[np.isfinite(converted)]
        found = np.array([column_of(value) for value in converted]) - BINS
        assert (found == bin_numbers(converted)).all()
        # On an edge the oracle's own powers may round to the other side.
        gaps = np.abs(np.abs(converted.astype(float))[:, None] - edges)
        clear = (gaps > 1e-12 * edges).all(1)
        assert found[clear].tolist() == [oracles.bin_number(float(value)) for value in converted[clear]]
        assert clear.sum() > 500


def test_a_long_vector_is_counted_whole():
    values = (np.random.default_rng(1).standard_t(2, 100_007) * 1e-6).astype(np.float32)
    counts, sums = np.zeros(WIDTH, np.int64), np.zeros(WIDTH)
    add_to_histogram(values, counts, sums)
    bins = bin_numbers(values) + BINS
    assert counts.tolist() == np.bincount(bins, minlength=WIDTH).tolist()
    np.testing.assert_allclose(sums, np.bincount(bins, values, minlength=WIDTH), rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float64, (7, SIZE), elements=VALUES),
    arrays.arrays(np.float64, (7, SIZE), elements=VALUES),
    st.lists(st.integers(0, 7), max_size=3),
)
def test_ranges_joined_anywhere_are_the_whole(steps, gradients, cuts):
    made = make_steps(steps, gradients)
    bounds = [0, *sorted(cuts), 7]
    joined = Accumulators(LAYOUT)
    for begin, end in itertools.pairwise(bounds):
        joined.merge(accumulate(made[begin:end]))
    found = vectors(joined)
    for name, wanted in vectors(accumulate(made)).items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-12, atol=1e-15)
    lca = steps * gradients
    for i in range(SIZE):
        assert found["step_flips"][i] == oracles.flips(steps[:, i])
        assert found["gradient_flips"][i] == oracles.flips(gradients[:, i])
        assert found["n_helping"][i] == sum(a < 0 for a in lca[:, i])
        assert found["n_hurting"][i] == sum(a > 0 for a in lca[:, i])
        np.testing.assert_allclose(found["helping"][i], sum(a for a in lca[:, i] if a < 0), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(found["hurting"][i], sum(a for a in lca[:, i] if a > 0), rtol=1e-12, atol=1e-15)


def test_sums_in_a_file_are_those_in_memory(tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    made = make_steps(rng.choice([-1.5, 0.0, 2e-5], (6, SIZE)), rng.choice([-0.3, 0.0, 0.7], (6, SIZE)))
    wanted = accumulate(made)
    wanted.save(tmp_path / "memory")
    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    first, second = accumulate(made[:3], tmp_path), accumulate(made[3:], tmp_path)
    first.save(tmp_path / "first")
    joined = Accumulators.load(tmp_path / "first", LAYOUT, tmp_path)
    joined.merge(second)
    for name, values in vectors(wanted).items():
        np.testing.assert_allclose(vectors(joined)[name], values, rtol=1e-12)
    accumulate(made, tmp_path).save(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == (tmp_path / "memory").read_bytes()


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "range.sums"
    accumulate(make_steps([[1.0] * SIZE], [[-2.0] * SIZE])).save(path)
    whole = path.read_bytes()
    assert vectors(Accumulators.load(path, LAYOUT))["helping"].tolist() == [-2.0] * SIZE
    for damaged in (whole[:200], whole[:-1], whole + b"x", whole[:9] + b"\1" + whole[10:], b""):
        path.write_bytes(damaged)
        with pytest.raises(CorruptError, match=r"range\.sums is damaged"):
            Accumulators.load(path, LAYOUT)


def test_parameters_come_in_pieces_in_the_order_of_the_table(monkeypatch):
    monkeypatch.setattr(accumulators, "PIECE", 2)
    monkeypatch.setattr(stretches, "STRETCH", 2)
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    layout = lay_out_parameters(describe_tensors(model), [model[0], model[0], model[1], model[1]])
    total = Accumulators(layout)
    for stretch in layout.stretches:
        sums = total.of(stretch)
        numbers = np.arange(stretch.place.start, stretch.place.stop)
        sums.helping[:], sums.hurting[:], sums.step_flips[:] = -1 - numbers, 0.5, numbers
    pieces = list(total.parameter_pieces())
    assert max(len(piece["index"]) for piece in pieces) == 2
    rows = [(piece["tensor"], int(index)) for piece in pieces for index in piece["index"]]
    assert rows == sorted((name, index) for name, tensor in model.named_parameters() for index in range(tensor.numel()))
    places = {"0.weight": 0, "0.bias": 6, "1.weight": 8, "1.bias": 10}
    expected = [places[name] + index for name, index in rows]
    assert np.concatenate([piece["step_flips"] for piece in pieces]).tolist() == expected
    assert np.concatenate([piece["lca"] for piece in pieces]).tolist() == [-number - 0.5 for number in expected]


@pytest.mark.parametrize(("steps", "size"), [(1, 1), (255, 1), (256, 2), (65_536, 4), (2**40, 4)])
def test_counts_of_a_range_are_as_small_as_they_may_be(tmp_path, steps, size):
    assert count_type(steps).itemsize == size
    counts, few = count_type(steps), min(steps, 300)
    found = accumulate(make_steps([[1.0] * SIZE] * few, [[1.0, -1.0] * (SIZE // 2)] * few), counts=counts)
    found.save(tmp_path / "sums")
    total = accumulate(make_steps([[-1.0] * SIZE], [[1.0] * SIZE]))
    total.merge(Accumulators.load(tmp_path / "sums", LAYOUT, counts=counts))
    sums = vectors(total)
    assert sums["n_hurting"].tolist() == [few, 0] * (SIZE // 2)
    assert sums["n_helping"].tolist() == [1, 1 + few] * (SIZE // 2)
    assert sums["step_flips"].tolist() == [1] * SIZE
