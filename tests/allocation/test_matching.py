"""Which tensor of the run is which parameter of the model."""

import pytest
import torch
from torch import nn

from lca_analysis.allocation.matching import match_parameters
from lca_analysis.errors import ArgumentError, MismatchError
from lca_analysis.recording import Recorder
from lca_analysis.trajectory import open_run


def model(first="a", second="b", hidden=3, bias=True):
    return (
        nn.Sequential().append(nn.Identity())
        if first is None
        else nn.ModuleDict({first: nn.Linear(2, hidden), second: nn.Linear(hidden, 2, bias=bias)})
    )


@pytest.fixture
def run(tmp_path):
    with Recorder(tmp_path / "run", model()):
        pass
    return open_run(tmp_path / "run")


def test_by_name(run):
    swapped = nn.ModuleDict({"b": nn.Linear(3, 2), "a": nn.Linear(2, 3)})
    assert match_parameters(run, swapped) == ["a.weight", "a.bias", "b.weight", "b.bias"]


def test_by_order(run):
    assert match_parameters(run, model("x", "y"), "order") == ["x.weight", "x.bias", "y.weight", "y.bias"]


@pytest.mark.parametrize(
    ("other", "match", "words"),
    [
        (model("x", "b"), "name", "'a.weight' was recorded, but .* x.weight, x.bias, b.weight, b.bias"),
        (model(bias=False), "name", "'b.bias' was recorded"),
        (nn.ModuleDict({**model(), "c": nn.Linear(1, 1)}), "name", "parameter 'c.weight' that was not recorded"),
        (model(hidden=4), "name", r"'a.weight' was recorded with shape \(3, 2\).* has \(4, 2\)"),
        (model(hidden=4), "order", r"'a.weight' was recorded with shape \(3, 2\).* has \(4, 2\)"),
        (model(bias=False), "order", "4 parameters were recorded, .* has 3"),
    ],
)
def test_the_first_difference_is_named(run, other, match, words):
    with pytest.raises(MismatchError, match=words):
        match_parameters(run, other, match)


def test_whole_numbers_cannot_be_allocated_to(tmp_path):
    whole = nn.Linear(2, 2, bias=False)
    whole.weight = nn.Parameter(torch.ones(2, 2, dtype=torch.int64), requires_grad=False)
    with Recorder(tmp_path / "run", whole):
        pass
    with pytest.raises(MismatchError, match="'weight' is int64"):
        match_parameters(open_run(tmp_path / "run"), whole)


def test_other_ways_are_refused(run):
    with pytest.raises(ArgumentError, match="'shape'"):
        match_parameters(run, model(), "shape")
