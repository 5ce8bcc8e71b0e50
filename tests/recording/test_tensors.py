"""Which tensors are recorded, and what the manifest says of them."""

import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.errors import ArgumentError
from lca_analysis.recording import Recorder
from lca_analysis.recording.tensors import describe_tensors
from lca_analysis.trajectory import bfloat16_to_float32


def kinds(model):
    return {info.name: (info.layer, info.kind, info.module) for info in describe_tensors(model)}


def test_a_tied_weight_comes_once_and_scratch_buffers_not_at_all(model):
    found = kinds(model)
    assert "out.weight" not in found
    assert "scratch" not in found
    assert found["embed.weight"] == ("embed", "embedding", "Embedding")
    assert found["scale"] == ("(root)", "other", "Tied")
    assert found["norm.weight"] == ("norm", "norm_weight", "BatchNorm1d")
    assert found["norm.bias"] == ("norm", "norm_bias", "BatchNorm1d")
    assert found["norm.num_batches_tracked"] == ("norm", "buffer", "BatchNorm1d")
    assert [info.role for info in describe_tensors(model)] == ["parameter"] * 6 + ["buffer"] * 3


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(4),
        nn.LayerNorm(4),
        nn.GroupNorm(2, 4),
        nn.InstanceNorm1d(4, affine=True),
        nn.RMSNorm(4),
        nn.SyncBatchNorm(4),
    ],
)
def test_every_norm_is_a_norm(norm):
    found = kinds(nn.Sequential(norm))
    assert found["0.weight"][1] == "norm_weight"
    assert found.get("0.bias", ("", "norm_bias"))[1] == "norm_bias"


def test_attention_and_recurrent_weights_are_weights():
    found = kinds(nn.ModuleDict({"a": nn.MultiheadAttention(4, 2), "r": nn.LSTM(3, 2)}))
    assert found["a.in_proj_weight"][:2] == ("a", "weight")
    assert found["a.in_proj_bias"][:2] == ("a", "bias")
    assert found["a.out_proj.weight"][:2] == ("a.out_proj", "weight")
    assert found["r.weight_ih_l0"][:2] == ("r", "weight")
    assert found["r.bias_hh_l0"][:2] == ("r", "bias")


def test_frozen_parameters_are_recorded_and_said_to_be_frozen():
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    assert [(info.name, info.trainable) for info in describe_tensors(model)] == [("weight", True), ("bias", False)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_every_float_type_is_recorded_as_it_is(tmp_path, dtype):
    model = nn.Linear(5, 3).to(dtype)
    with Recorder(tmp_path / "run", model) as recorder:
        with torch.no_grad():
            model.weight.mul_(1.5)
        recorder.record()
    weights = lca.open_run(tmp_path / "run").weights(1)["weight"]
    found = bfloat16_to_float32(weights) if dtype is torch.bfloat16 else weights
    assert torch.equal(torch.from_numpy(found), model.weight.detach().to(torch.from_numpy(found).dtype))


def test_compiled_and_data_parallel_models_have_the_names_inside(tmp_path):
    inner = nn.Sequential(nn.Linear(2, 2))
    for number, wrapped in enumerate([nn.DataParallel(inner), torch.compile(inner, backend="eager")]):
        with Recorder(tmp_path / str(number), wrapped):
            pass
        assert [info.name for info in lca.open_run(tmp_path / str(number)).tensors] == ["0.weight", "0.bias"]


def test_a_lazy_or_complex_model_is_refused_by_tensor():
    with pytest.raises(ArgumentError, match=r"'weight'.*not initialised"):
        describe_tensors(nn.LazyLinear(3))
    with pytest.raises(ArgumentError, match=r"'weight'.*complex64"):
        describe_tensors(nn.Linear(2, 2, dtype=torch.complex64))


def test_a_sharded_model_is_refused_by_tensor():
    model = nn.Linear(2, 2)
    model.weight.full_tensor = lambda: None  # what a DTensor has
    with pytest.raises(ArgumentError, match=r"'weight'.*sharded"):
        describe_tensors(model)
