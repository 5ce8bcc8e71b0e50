"""LCA by example against one backward pass for every example, and the sum over examples; devices."""

import numpy as np
import oracles
import pytest
import torch

import lca_analysis as lca
from lca_analysis.allocation import devices
from lca_analysis.cli.entry import main
from lca_analysis.errors import ArgumentError, NotFoundError


def one_by_one(problem, split, weights, name):
    """Take each example's gradient by a backward pass of its own, chunk after chunk."""
    inputs, targets = problem.split(split)
    model = oracles.evaluation_model(problem)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(weights[key]))
    found = []
    for begin in range(0, len(inputs), problem.batch_size):
        chunk = slice(begin, begin + problem.batch_size)
        for value in problem.loss(model(inputs[chunk].double()), targets[chunk]):
            gradient = torch.autograd.grad(value, model.get_parameter(name), retain_graph=True)[0]
            found.append(gradient.numpy())
    return np.stack(found)


LAYERS = {"mlp": ("0", "2"), "conv": ("0", "2"), "batch_norm": ("1", "4", "7")}


@pytest.mark.parametrize("name", LAYERS)
def test_every_example_has_its_own_share(small, tmp_path, name):
    problem = small.build(name, dtype="float64")
    run = small.record(problem, tmp_path / "run", iterations=2, lr=1.0)
    points = small.points(run)
    found = lca.example_lca(run.path, problem, "train", LAYERS[name], pieces=2)
    assert found.iterations.tolist() == [0, 1]
    assert found.layers == LAYERS[name]
    assert found.lca.shape == (2, len(LAYERS[name]), 23)
    before, after = points[:2]
    for row, layer in enumerate(LAYERS[name]):
        wanted = np.zeros(23)
        for place, weight in oracles.simpson_nodes(2).items():
            there = {key: before[key] + place * (after[key] - before[key]) for key in before}
            for key in (key for key in before if key.rpartition(".")[0] == layer):
                moved = one_by_one(problem, "train", there, key) * (after[key] - before[key])
                wanted += weight / 23 * moved.reshape(23, -1).sum(1)
        np.testing.assert_allclose(found.lca[0, row], wanted, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", ["mlp", "batch_norm"])
def test_examples_sum_to_the_layers(small, tmp_path, name):
    problem = small.build(name)
    run = small.record(problem, tmp_path / "run", iterations=3)
    lca.compute(run.path, tmp_path / "store", problem, splits="validation", rule="simpson")
    rows = lca.open_store(tmp_path / "store").table("layers").groupby(["iteration", "layer"])["lca"].sum()
    found = lca.example_lca(run.path, None, "validation", LAYERS[name], first=1)
    assert found.iterations.tolist() == [1, 2]
    for number, iteration in enumerate((1, 2)):
        for row, layer in enumerate(LAYERS[name]):
            assert found.lca[number, row].sum() == pytest.approx(rows[iteration, layer], rel=1e-4, abs=1e-7)


def test_what_examples_refuse(mlp_run):
    with pytest.raises(NotFoundError, match="no layer 'fc'; the layers are: 0, 2"):
        lca.example_lca(mlp_run.path, None, "train", ["fc"])
    with pytest.raises(NotFoundError, match="no split 'test'"):
        lca.example_lca(mlp_run.path, None, "test", ["0"])
    for wrong in ({"rule": "paper"}, {"pieces": 0}):
        with pytest.raises(ArgumentError, match="pieces from 1 on"):
            lca.example_lca(mlp_run.path, None, "train", ["0"], **wrong)


@pytest.mark.parametrize("device", ["cuda:99", "meta", "abacus"])
def test_devices_that_are_not_there(mlp_run, tmp_path, capsys, device):
    with pytest.raises(ArgumentError, match=rf"device '{device}' cannot be used here.*there are: cpu"):
        lca.compute(mlp_run.path, tmp_path / "store", device=device)
    command = ["compute", mlp_run.path, "--store", str(tmp_path / "store"), "--device", device]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "cannot be used here" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["mlp", "conv", "batch_norm"])
def test_a_gpu_gives_the_same_but_for_rounding(small, tmp_path, name):
    run = small.record(small.build(name), tmp_path / "run", iterations=3)
    tables = []
    for device in ("cpu", "cuda"):
        lca.compute(run.path, tmp_path / device, splits="train", rule="simpson", device=device)
        tables.append(lca.open_store(tmp_path / device).table("layers")["lca"].to_numpy())
    np.testing.assert_allclose(*tables, rtol=1e-4, atol=1e-6)


def test_arithmetic_of_gpus_is_put_back():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    with devices.exact_arithmetic("cuda"):
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.deterministic
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic) == before
