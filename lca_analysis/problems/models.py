"""The networks of the paper's experiments, and their initialisation."""

import math

import torch
from torch import nn

# Standard deviation of a standard normal that is cut at ±2.
_TRUNCATED_STD = 0.87962566103423978


class MLP(nn.Module):
    """Fully connected ReLU network: layers fc1, fc2, … over flattened inputs."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.depth = len(sizes) - 1
        for number in range(self.depth):
            self.add_module(f"fc{number + 1}", nn.Linear(sizes[number], sizes[number + 1]))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        hidden = inputs.flatten(1)
        for number in range(1, self.depth):
            hidden = torch.relu(self.get_submodule(f"fc{number}")(hidden))
        logits: torch.Tensor = self.get_submodule(f"fc{self.depth}")(hidden)
        return logits


class LeNet(nn.Module):
    """The paper's LeNet for 28×28 images: 20 and 40 kernels 5×5 with padding, pooling, fc 400, fc 10, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5, padding=2)
        self.conv2 = nn.Conv2d(20, 40, 5, padding=2)
        self.fc1 = nn.Linear(40 * 7 * 7, 400)
        self.fc2 = nn.Linear(400, 10)
        self.pool = nn.MaxPool2d(2)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        hidden = self.pool(torch.relu(self.conv1(inputs)))
        hidden = self.pool(torch.relu(self.conv2(hidden)))
        hidden = torch.relu(self.fc1(self.dropout1(hidden.flatten(1))))
        logits: torch.Tensor = self.fc2(self.dropout2(hidden))
        return logits


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with batch norm, and a 1×1 convolution on the shortcut where the shape changes."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(channels_in, channels, 1, stride)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the block's activations."""
        hidden = torch.relu(self.bn1(self.conv1(inputs)))
        return torch.relu(self.bn2(self.conv2(hidden)) + self.shortcut(inputs))


class ResNet20(nn.Module):
    """ResNet-20 for 32×32 images: three groups of three blocks with 16, 32 and 64 channels (He et al. 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        channels_in = 16
        for group, channels in enumerate((16, 32, 64), start=1):
            for letter, stride in zip("abc", (1 if group == 1 else 2, 1, 1), strict=True):
                self.add_module(f"block{group}{letter}", ResidualBlock(channels_in, channels, stride))
                channels_in = channels
        self.fc = nn.Linear(64, 10)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        hidden = torch.relu(self.bn1(self.conv1(inputs)))
        for group in (1, 2, 3):
            for letter in "abc":
                hidden = self.get_submodule(f"block{group}{letter}")(hidden)
        logits: torch.Tensor = self.fc(hidden.mean((2, 3)))
        return logits


class AllCNN(nn.Module):
    """All-CNN-C for 32×32 images, as in the paper: batch norm and ReLU but after the strided and last layers."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [(3, 96, 3, 1), (96, 96, 3, 1), (96, 96, 3, 2), (96, 192, 3, 1), (192, 192, 3, 1)]
        sizes += [(192, 192, 3, 2), (192, 192, 3, 1), (192, 192, 1, 1), (192, 10, 1, 1)]
        self.strided = (3, 6)
        self.depth = len(sizes)
        for number, (channels_in, channels, kernel, stride) in enumerate(sizes, start=1):
            self.add_module(f"conv{number}", nn.Conv2d(channels_in, channels, kernel, stride, padding=kernel // 2))
            if number not in (*self.strided, self.depth):
                self.add_module(f"bn{number}", nn.BatchNorm2d(channels))
        self.dropout = nn.Dropout(0.5)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        hidden = inputs
        for number in range(1, self.depth):
            hidden = self.get_submodule(f"conv{number}")(hidden)
            if number in self.strided:
                hidden = self.dropout(hidden)
            else:
                hidden = torch.relu(self.get_submodule(f"bn{number}")(hidden))
        logits: torch.Tensor = self.get_submodule(f"conv{self.depth}")(hidden).mean((2, 3))
        return logits


def initialize(model: nn.Module, seed: int) -> nn.Module:
    """Draw He-normal weights (cut at two standard deviations) and zero biases, as in the paper.

    Only a generator of its own is used: the global random state stays as it is.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            std = math.sqrt(2 / module.weight[0].numel()) / _TRUNCATED_STD
            nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
