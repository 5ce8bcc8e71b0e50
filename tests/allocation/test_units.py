"""Units of every kind of layer: against loops over the entries, and the sums of their tensors."""

import numpy as np
import oracles
import pytest
import torch
from torch import nn

import lca_analysis as lca
from lca_analysis.allocation.layout import lay_out_parameters
from lca_analysis.allocation.part_rows import Update
from lca_analysis.allocation.rows import UnitSums
from lca_analysis.allocation.step import AllocatedStep
from lca_analysis.problems import Problem
from lca_analysis.recording import Recorder
from lca_analysis.recording.tensors import describe_tensors

LAYERS = {
    "linear": nn.Linear(3, 4),
    "linear without bias": nn.Linear(3, 4, bias=False),
    "bilinear": nn.Bilinear(2, 3, 4),
    "conv1d": nn.Conv1d(4, 6, 3, groups=2),
    "conv2d": nn.Conv2d(2, 3, (3, 2)),
    "conv3d": nn.Conv3d(2, 3, 2, bias=False),
    "transposed 1d": nn.ConvTranspose1d(4, 6, 3, groups=2),
    "transposed 2d": nn.ConvTranspose2d(2, 3, 2),
    "transposed 3d": nn.ConvTranspose3d(4, 4, 2, groups=4),
    "embedding": nn.Embedding(5, 3),
    "embedding bag": nn.EmbeddingBag(5, 3),
    "batch norm": nn.BatchNorm2d(3),
    "instance norm": nn.InstanceNorm1d(3, affine=True),
    "layer norm": nn.LayerNorm(4),
    "layer norm of images": nn.LayerNorm((3, 2, 2)),
    "group norm": nn.GroupNorm(2, 4),
    "rms norm": nn.RMSNorm(4),
}
FEATURES = 4
ATTENTIONS = {
    "attention": nn.MultiheadAttention(FEATURES, 2),
    "attention without bias": nn.MultiheadAttention(FEATURES, 2, bias=False),
    "attention of other sizes": nn.MultiheadAttention(FEATURES, 2, kdim=3, vdim=5),
    "attention with more keys": nn.MultiheadAttention(FEATURES, 2, add_bias_kv=True),
}


def allocated(module):
    """Give a made-up LCA of every parameter, by tensor, the layer's units as the engine sums them, and the layout."""
    model = nn.ModuleDict({"layer": module})
    tensors = [tensor for tensor in describe_tensors(model) if tensor.role == "parameter"]
    owners = [model.get_submodule(tensor.name.rpartition(".")[0]) for tensor in tensors]
    layout = lay_out_parameters(tensors, owners)
    flat = torch.from_numpy(np.random.default_rng(0).standard_normal(layout.size))
    values = {place.tensor.name: flat[place.slice].view(place.tensor.shape).numpy() for place in layout.places}
    sums = UnitSums(layout)
    step = AllocatedStep(7, 8, torch.zeros_like(flat), flat, torch.ones_like(flat), None, Update([], flat))
    for part in step.stretches(layout):
        sums.add(part)
    columns = sums.rows(7)
    rows = {}
    for layer, unit, value in zip(columns["layer"], columns["unit"].tolist(), columns["lca"].tolist(), strict=True):
        assert rows.setdefault(layer, {}).setdefault(unit, value) == value
    return values, {layer: [found[n] for n in range(len(found))] for layer, found in rows.items()}, layout, model


@pytest.mark.parametrize("name", LAYERS)
def test_units_against_loops(name):
    values, rows, layout, model = allocated(LAYERS[name])
    assert rows["layer"] == pytest.approx(oracles.unit_sums(model, "layer", values), rel=1e-12)
    assert len(rows["layer"]) == layout.units("layer")
    assert sum(rows["layer"]) == pytest.approx(sum(value.sum() for value in values.values()), rel=1e-12)


def features_of(values):
    """Add up the queries', keys' and values' features, entry by entry."""
    sums = [0.0] * (3 * FEATURES)
    for name, array in values.items():
        kind = name.split(".")[1]
        if kind == "out_proj":
            continue
        begin = FEATURES * {"q": 0, "k": 1, "v": 2, "bias_k": 1, "bias_v": 2}.get(kind.removesuffix("_proj_weight"), 0)
        for index in np.ndindex(array.shape):
            feature = index[-1] if kind in ("bias_k", "bias_v") else index[0]
            sums[begin + feature] += float(array[index])
    return sums


@pytest.mark.parametrize("name", ATTENTIONS)
def test_features_of_attention(name):
    values, rows, layout, model = allocated(ATTENTIONS[name])
    own = sum(value.sum() for key, value in values.items() if "out_proj" not in key)
    assert rows["layer"] == pytest.approx(features_of(values), rel=1e-12)
    assert sum(rows["layer"]) == pytest.approx(own, rel=1e-12)
    assert rows["layer.out_proj"] == pytest.approx(oracles.unit_sums(model, "layer.out_proj", values), rel=1e-12)
    assert layout.units("layer") == 3 * FEATURES


class Reader(nn.Module):
    """Embeds words, lets them attend to each other, and classifies their mean."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(6, FEATURES)
        self.attention = nn.MultiheadAttention(FEATURES, 2, batch_first=True)
        self.norm = nn.LayerNorm(FEATURES)
        self.head = nn.Linear(FEATURES, 3)

    def forward(self, inputs):
        embedded = self.words(inputs)
        return self.head(self.norm(self.attention(embedded, embedded, embedded, need_weights=False)[0]).mean(1))


def test_a_model_of_words(tmp_path):
    torch.manual_seed(0)
    inputs = torch.randint(0, 5, (12, 4))  # the sixth word does not occur
    problem = Problem(Reader(), nn.CrossEntropyLoss(reduction="none"), {"train": (inputs, torch.arange(12) % 3)}, 5)
    optimizer = torch.optim.SGD(problem.model.parameters(), lr=0.1)
    with Recorder(tmp_path / "run", problem.model, optimizer):
        for _ in range(3):
            optimizer.zero_grad()
            problem.loss(problem.model(inputs), problem.split("train")[1]).mean().backward()
            optimizer.step()
    lca.compute(tmp_path / "run", tmp_path / "store", problem)
    store = lca.open_store(tmp_path / "store")
    units = store.table("units")
    sums = units.groupby(["iteration", "layer"])["lca"].sum()
    layers = store.table("layers").groupby(["iteration", "layer"])["lca"].sum()
    np.testing.assert_allclose(sums.loc[layers.index], layers, rtol=1e-5, atol=1e-9)
    counts = store.table("layers_index").set_index("layer")["units"].to_dict()
    assert counts == {"words": 6, "attention": 12, "attention.out_proj": 4, "norm": 4, "head": 3}
    words = units[units["layer"] == "words"].set_index("unit")["lca"]
    assert words.loc[5].eq(0).all()
    assert words.loc[[0, 1, 2, 3, 4]].ne(0).all()
