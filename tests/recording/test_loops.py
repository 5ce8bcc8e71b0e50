"""Training loops of every kind that plain PyTorch has."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

import lca_analysis as lca
from lca_analysis.recording import Recorder


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


def loss_of(model, inputs):
    return nn.functional.cross_entropy(model(inputs).float(), (inputs[:, 0] > 0).long())


def weights_of(model):
    return {name: tensor.detach().numpy().copy() for name, tensor in model.state_dict().items()}


def agree(run, expected):
    points = list(run.walk())
    assert len(points) == len(expected)
    for point, weights in zip(points, expected, strict=True):
        assert point.weights.keys() == weights.keys()
        for name, array in weights.items():
            assert point.weights[name].tobytes() == array.tobytes(), (point.iteration, name)


def test_accumulated_gradients_are_one_iteration(tmp_path):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    expected = [weights_of(model)]
    with Recorder(tmp_path / "run", model, optimizer) as recorder:
        for batch in range(12):
            (loss_of(model, torch.randn(8, 4)) / 4).backward()
            if batch % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
                expected.append(weights_of(model))
        assert recorder.iteration == 3
    agree(lca.open_run(tmp_path / "run"), expected)


@pytest.mark.parametrize("recorders", [1, 2])
def test_a_step_that_the_scaler_skips_is_a_zero_step(tmp_path, recorders):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    started = [Recorder(tmp_path / str(number), model, optimizer, scaler=scaler).start() for number in range(recorders)]
    expected = [weights_of(model)]
    for step in range(6):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of(model, torch.randn(16, 4))
        scaler.scale(loss * (float("inf") if step == 2 else 1.0)).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        expected.append(weights_of(model))
    for recorder in started:
        recorder.close()
    if recorders == 1:
        assert scaler.step == type(scaler).step.__get__(scaler)
    for number in range(recorders):
        run = lca.open_run(tmp_path / str(number))
        assert run.iterations.tolist() == list(range(7))
        agree(run, expected)
        steps = [np.abs(step.steps["0.weight"]).max() for step in run.steps()]
        assert [size > 0 for size in steps] == [True, True, False, True, True, True]
        assert run.scalars()["skipped"][0].tolist() == [3]
    scaler.scale(loss_of(model, torch.randn(16, 4)) * float("inf")).backward()
    scaler.step(optimizer)  # nobody listens any more


def test_a_compiled_model_and_step(tmp_path):
    model = network()
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    expected = [weights_of(model)]
    with Recorder(tmp_path / "run", compiled, optimizer):
        for _ in range(3):
            optimizer.zero_grad()
            loss_of(compiled, torch.randn(16, 4)).backward()
            optimizer.step()
            expected.append(weights_of(model))
    agree(lca.open_run(tmp_path / "run"), expected)


def test_frozen_then_unfrozen_layers_and_groups_added_midway(tmp_path):
    model = network()
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model[3].parameters(), lr=0.1)
    with Recorder(tmp_path / "run", model, optimizer):
        for step in range(6):
            if step == 3:
                model[0].requires_grad_(True)
                optimizer.add_param_group({"params": list(model[0].parameters()), "lr": 0.01})
            optimizer.zero_grad()
            loss_of(model, torch.randn(16, 4)).backward()
            optimizer.step()
    run = lca.open_run(tmp_path / "run")
    moved = [bool(np.any(step.steps["0.weight"])) for step in run.steps()]
    assert moved == [False, False, False, True, True, True]
    (first, before), (second, after) = run.hyperparameters()
    assert (first, len(before)) == (0, 1)
    assert (second, len(after)) == (4, 2)
    assert (after[1]["lr"], after[1]["members"]) == (0.01, ["0.weight", "0.bias"])
    assert "members" not in after[0]


def test_several_models_in_one_loop(tmp_path):
    models = [network(seed) for seed in range(3)]
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1 * (1 + n)) for n, model in enumerate(models)]
    started = [
        Recorder(tmp_path / str(n), *pair).start() for n, pair in enumerate(zip(models, optimizers, strict=True))
    ]
    expected = [[weights_of(model)] for model in models]
    for _ in range(5):
        inputs = torch.randn(16, 4)
        for model, optimizer, points in zip(models, optimizers, expected, strict=True):
            optimizer.zero_grad()
            loss_of(model, inputs).backward()
            optimizer.step()
            points.append(weights_of(model))
    for number, recorder in enumerate(started):
        recorder.close()
        agree(lca.open_run(tmp_path / str(number)), expected[number])


def test_models_trained_as_one_stack_are_recorded_through_views(tmp_path):
    models = [nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)) for _ in range(3)]
    parameters, buffers = stack_module_state(models)
    template = copy.deepcopy(models[0]).to("meta")
    optimizer = torch.optim.SGD(parameters.values(), lr=0.1, momentum=0.9)
    started = []
    for number, model in enumerate(models):
        for name, parameter in model.named_parameters():
            parameter.data = parameters[name].data[number]
        started.append(Recorder(tmp_path / str(number), model, optimizer).start())

    def loss(one, extra, inputs):
        return functional_call(template, (one, extra), (inputs,)).square().mean()

    expected = []
    for _ in range(4):
        expected.append({name: stack.detach().numpy().copy() for name, stack in parameters.items()})
        optimizer.zero_grad()
        vmap(loss, (0, 0, None))(parameters, buffers, torch.randn(8, 4)).sum().backward()
        optimizer.step()
    expected.append({name: stack.detach().numpy().copy() for name, stack in parameters.items()})
    for number, recorder in enumerate(started):
        recorder.close()
        run = lca.open_run(tmp_path / str(number))
        agree(run, [{name: stack[number] for name, stack in point.items()} for point in expected])
        assert run.manifest.optimizer.members == [["0.weight", "0.bias", "2.weight", "2.bias"]]


def test_updates_that_are_no_gradient(tmp_path):
    """Direct feedback alignment: errors reach the first layer through a fixed random matrix."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).requires_grad_(False)
    feedback, inputs = torch.randn(2, 8), torch.randn(64, 4)
    targets = nn.functional.one_hot((inputs[:, 0] > 0).long(), 2).float()
    expected, losses = [weights_of(model)], []
    with Recorder(tmp_path / "run", model) as recorder:
        for _ in range(30):
            hidden = model[1](model[0](inputs))
            error = (torch.softmax(model[2](hidden), 1) - targets) / len(inputs)
            losses.append(float(error.abs().sum()))
            model[2].weight -= 0.5 * error.T @ hidden
            model[0].weight -= 0.5 * ((error @ feedback) * (1 - hidden**2)).T @ inputs
            recorder.record()
            expected.append(weights_of(model))
    run = lca.open_run(tmp_path / "run")
    agree(run, expected)
    assert losses[-1] < losses[0]
    assert (run.manifest.optimizer.name, run.hyperparameters()) == ("", [(0, [])])


def test_nesterov_and_a_cyclic_momentum_are_stated_as_used(tmp_path):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=6)
    used = []
    with Recorder(tmp_path / "run", model, optimizer):
        for _ in range(5):
            optimizer.zero_grad()
            loss_of(model, torch.randn(16, 4)).backward()
            used.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
            optimizer.step()
            schedule.step()
    groups = [point.hyperparameters[0] for point in lca.open_run(tmp_path / "run").walk(1)]
    assert [(group["lr"], group["momentum"]) for group in groups] == used
    assert all(group["nesterov"] is True for group in groups)


class Failing(torch.optim.SGD):
    """Calls its parent's step, as an optimizer of one's own does, and fails when told to."""

    fails = False

    def step(self, closure=None):
        loss = super().step(closure)
        if self.fails:
            raise ArithmeticError
        return loss


def called_deeper(function, depth):
    return function() if depth == 0 else called_deeper(function, depth - 1)


@pytest.mark.parametrize("depths", [(0, 3), (3, 0), (2, 2)])
def test_an_optimizer_that_calls_its_parent_s_step_is_recorded_once(tmp_path, depths):
    torch.optim.SGD(network().parameters(), lr=1.0)  # hooks come into a class with its first optimizer
    model = network()
    optimizer = Failing(model.parameters(), lr=0.1)
    expected = [weights_of(model)]
    with Recorder(tmp_path / "run", model, optimizer) as recorder:
        for iteration in range(6):
            optimizer.zero_grad()
            loss_of(model, torch.randn(8, 4)).backward()
            optimizer.fails = iteration == 2
            if optimizer.fails:
                with pytest.raises(ArithmeticError):
                    called_deeper(optimizer.step, depths[0])
            else:
                called_deeper(optimizer.step, depths[1])
                expected.append(weights_of(model))
        assert recorder.iteration == 5
    agree(lca.open_run(tmp_path / "run"), expected)
