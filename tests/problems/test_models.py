import math

import pytest
import torch

from lca_analysis.problems.models import MLP, AllCNN, LeNet, ResNet20, initialize


def conv(channels_in, channels, kernel):
    return channels_in * channels * kernel * kernel + channels


def norm(channels):
    return 2 * channels


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


RESNET_GROUP_1 = 6 * (conv(16, 16, 3) + norm(16))
RESNET_GROUP_2 = conv(16, 32, 3) + 5 * conv(32, 32, 3) + 6 * norm(32) + conv(16, 32, 1)
RESNET_GROUP_3 = conv(32, 64, 3) + 5 * conv(64, 64, 3) + 6 * norm(64) + conv(32, 64, 1)


@pytest.mark.parametrize(
    ("model", "by_formula", "by_hand"),
    [
        (MLP(784, 100, 50, 10), 785 * 100 + 101 * 50 + 51 * 10, 84_060),
        (MLP(64, 32, 16, 10), 65 * 32 + 33 * 16 + 17 * 10, 2_778),
        (LeNet(), conv(1, 20, 5) + conv(20, 40, 5) + (40 * 7 * 7 + 1) * 400 + 401 * 10, 808_970),
        (
            ResNet20(),
            conv(3, 16, 3) + norm(16) + RESNET_GROUP_1 + RESNET_GROUP_2 + RESNET_GROUP_3 + 65 * 10,
            273_066,
        ),
        (
            AllCNN(),
            conv(3, 96, 3) + 2 * conv(96, 96, 3) + conv(96, 192, 3) + 3 * conv(192, 192, 3) + conv(192, 192, 1)
            + conv(192, 10, 1) + 2 * norm(96) + 4 * norm(192),
            1_371_658,
        ),
    ],
    ids=["mnist_fc", "digits_mlp", "mnist_lenet", "cifar_resnet20", "cifar_allcnn"],
)  # fmt: skip
def test_parameter_counts(model, by_formula, by_hand):
    assert parameters(model) == by_formula == by_hand


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (MLP(784, 100, 50, 10), (1, 28, 28)),
        (LeNet(), (1, 28, 28)),
        (ResNet20(), (3, 32, 32)),
        (AllCNN(), (3, 32, 32)),
    ],
    ids=["mlp", "lenet", "resnet20", "allcnn"],
)
def test_outputs_are_ten_finite_logits(model, shape):
    outputs = initialize(model, 0).eval()(torch.rand(3, *shape))
    assert outputs.shape == (3, 10)
    assert outputs.isfinite().all()
    assert outputs.std() > 0


def test_layers_have_readable_names():
    assert [name for name, _ in MLP(784, 100, 50, 10).named_parameters()][::2] == [
        "fc1.weight",
        "fc2.weight",
        "fc3.weight",
    ]
    assert {name.split(".")[0] for name, _ in LeNet().named_parameters()} == {"conv1", "conv2", "fc1", "fc2"}
    blocks = {name.split(".")[0] for name, _ in ResNet20().named_parameters()}
    assert blocks == {"conv1", "bn1", "fc"} | {f"block{group}{letter}" for group in (1, 2, 3) for letter in "abc"}
    names = {name.split(".")[0] for name, _ in AllCNN().named_parameters()}
    assert names == {f"conv{number}" for number in range(1, 10)} | {f"bn{number}" for number in (1, 2, 4, 5, 7, 8)}


def test_mlp_is_the_chain_of_its_layers():
    model = initialize(MLP(6, 5, 4, 3), 1)
    inputs = torch.randn(7, 2, 3)
    weights = dict(model.named_parameters())
    hidden = inputs.reshape(7, 6)
    for layer in ("fc1", "fc2", "fc3"):
        hidden = hidden @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]
        hidden = hidden.clamp(min=0) if layer != "fc3" else hidden
    torch.testing.assert_close(model(inputs), hidden)


def test_resnet_halves_the_image_twice_and_keeps_twenty_weighted_layers_on_the_main_path():
    model = ResNet20().eval()
    sizes = {}
    for name in ("block1c", "block2c", "block3c"):
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, outputs, name=name: sizes.update({name: tuple(outputs.shape[1:])})
        )
    model(torch.rand(1, 3, 32, 32))
    assert sizes == {"block1c": (16, 32, 32), "block2c": (32, 16, 16), "block3c": (64, 8, 8)}
    weighted = [name for name, tensor in model.named_parameters() if tensor.ndim > 1 and "shortcut" not in name]
    assert len(weighted) == 20


def test_a_residual_block_with_silent_convolutions_passes_its_input_on():
    block = ResNet20().block1b.eval()
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    inputs = torch.rand(2, 16, 8, 8)
    assert torch.equal(block(inputs), inputs)


@pytest.mark.parametrize("model", [LeNet(), AllCNN()], ids=["lenet", "allcnn"])
def test_dropout_acts_in_training_and_not_in_evaluation(model):
    inputs = torch.rand(2, 1, 28, 28) if isinstance(model, LeNet) else torch.rand(2, 3, 32, 32)
    initialize(model, 0).eval()
    assert torch.equal(model(inputs), model(inputs))
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not torch.equal(model(inputs), model(inputs))


def test_initialisation_has_the_moments_of_he_and_stays_within_two_deviations():
    model = initialize(MLP(784, 400, 10), 0)
    weight = model.fc1.weight.detach().double()
    std = math.sqrt(2 / 784)
    assert abs(weight.std().item() / std - 1) < 0.01  # 313,600 draws: standard error 0.1 %
    assert abs(weight.mean().item()) < 5 * std / math.sqrt(weight.numel())
    assert weight.abs().max() <= 2 * std / 0.8796 + 1e-6
    assert torch.equal(model.fc1.bias, torch.zeros(400))


def test_initialisation_depends_on_the_seed_alone():
    first, again, other = (initialize(MLP(8, 6, 4), seed) for seed in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.fc1.weight, other.fc1.weight)
