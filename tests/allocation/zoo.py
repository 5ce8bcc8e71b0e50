"""Models of many kinds, small, in float64, with smooth activations: name to what makes the model, and its input."""

import warnings

import torch
from torch import nn
from torch.nn.utils import parametrizations

CLASSES = 3


def images(*shape):
    return lambda generator: torch.randn(7, *shape, generator=generator, dtype=torch.float64)


def words(length):
    return lambda generator: torch.randint(0, 6, (7, length), generator=generator)


def ending(*layers):
    """Put a linear layer behind layers, whatever they give."""
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(CLASSES))


class Applied(nn.Module):
    """Layers with a function of them."""

    def __init__(self, function, **layers):
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.function = function

    def forward(self, inputs):
        return self.function(self.layers, inputs)


def recurrent(kind):
    layers = {"rnn": kind(4, 3, 2, batch_first=True, bidirectional=True, dropout=0.5), "out": nn.Linear(6, CLASSES)}
    return Applied(lambda m, x: m["out"](m["rnn"](x)[0][:, -1]), **layers)


def attention():
    layers = {"attention": nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True), "out": nn.Linear(4, CLASSES)}
    return Applied(lambda m, x: m["out"](m["attention"](x, x, x)[0].mean(1)), **layers)


def tied():
    layers = {"embed": nn.Embedding(6, 4), "hidden": nn.Linear(4, 4), "out": nn.Linear(4, 6, bias=False)}
    model = Applied(lambda m, x: m["out"](torch.tanh(m["hidden"](m["embed"](x).mean(1))))[:, :CLASSES], **layers)
    model.layers["out"].weight = model.layers["embed"].weight
    return model


def old(norm):
    """Reparametrize by hooks, which leave what they computed in the module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return ending(norm(nn.Linear(4, 5)), nn.Tanh())


def shared_parametrization():
    first, second = (parametrizations.weight_norm(nn.Linear(4, 4)) for _ in range(2))
    second.parametrizations.weight.original0 = first.parametrizations.weight.original0
    return ending(first, nn.Tanh(), second)


class Lists(nn.Module):
    """Parameters in lists and dicts, one of a single number, one of none, and one that nothing uses."""

    def __init__(self):
        super().__init__()
        self.weights = nn.ParameterList([torch.randn(4, 4), torch.randn(4, CLASSES)])
        self.others = nn.ParameterDict({"scale": torch.tensor(1.2), "none": torch.zeros(0, 3), "unused": torch.ones(2)})

    def forward(self, inputs):
        return torch.tanh(inputs @ self.weights[0]) @ self.weights[1] * self.others["scale"]


class Nested(nn.Module):
    """Modules in lists in dicts, one of them twice in the path, with a residual connection."""

    def __init__(self):
        super().__init__()
        block = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.GELU())
        self.stages = nn.ModuleDict({"a": nn.ModuleList([block, nn.Linear(4, 4)]), "b": nn.ModuleList([block])})
        self.head = nn.Linear(4, CLASSES)

    def forward(self, inputs):
        for stage in self.stages.values():
            for layer in stage:
                inputs = inputs + layer(inputs)
        return self.head(inputs)


def transformer():
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.3, activation="gelu", batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    layers = {"encoder": encoder, "out": nn.Linear(4, CLASSES)}
    return Applied(lambda m, x: m["out"](m["encoder"](x).mean(1)), **layers)


ZOO = {
    "conv1d": (lambda: ending(nn.Conv1d(2, 4, 3, groups=2), nn.Tanh()), images(2, 6)),
    "conv2d": (lambda: ending(nn.Conv2d(2, 3, (3, 2), stride=2), nn.Tanh()), images(2, 6, 5)),
    "conv3d": (lambda: ending(nn.Conv3d(1, 2, 2), nn.Tanh()), images(1, 3, 3, 3)),
    "transposed 1d": (lambda: ending(nn.ConvTranspose1d(4, 2, 3, groups=2), nn.Tanh()), images(4, 4)),
    "transposed 2d": (lambda: ending(nn.ConvTranspose2d(2, 3, 2, stride=2), nn.Tanh()), images(2, 3, 3)),
    "transposed 3d": (lambda: ending(nn.ConvTranspose3d(1, 2, 2), nn.Tanh()), images(1, 2, 2, 2)),
    "bilinear": (lambda: Applied(lambda m, x: m["two"](x, x.tanh()), two=nn.Bilinear(4, 4, CLASSES)), images(4)),
    "embedding": (lambda: ending(nn.Embedding(6, 3, padding_idx=0)), words(4)),
    "sparse embedding": (lambda: ending(nn.Embedding(6, 3, sparse=True)), words(4)),
    "embedding bag": (lambda: ending(nn.EmbeddingBag(6, 3)), words(4)),
    "attention": (attention, images(5, 4)),
    "transformer": (transformer, images(5, 4)),
    "rnn": (lambda: recurrent(nn.RNN), images(5, 4)),
    "lstm": (lambda: recurrent(nn.LSTM), images(5, 4)),
    "gru": (lambda: recurrent(nn.GRU), images(5, 4)),
    "layer norm": (lambda: ending(nn.Linear(4, 5), nn.LayerNorm(5), nn.Tanh()), images(4)),
    "rms norm": (lambda: ending(nn.Linear(4, 5), nn.RMSNorm(5), nn.Tanh()), images(4)),
    "group norm": (lambda: ending(nn.Conv2d(2, 4, 2), nn.GroupNorm(2, 4), nn.Tanh()), images(2, 4, 4)),
    "instance norm": (lambda: ending(nn.Conv2d(2, 4, 2), nn.InstanceNorm2d(4, affine=True)), images(2, 4, 4)),
    "batch norm": (lambda: ending(nn.Conv2d(2, 4, 2), nn.BatchNorm2d(4), nn.Tanh()), images(2, 4, 4)),
    "prelu": (lambda: ending(nn.Linear(4, 5), nn.PReLU(5)), images(4)),
    "tied": (tied, words(4)),
    "weight norm": (lambda: ending(parametrizations.weight_norm(nn.Linear(4, 5)), nn.Tanh()), images(4)),
    "old weight norm": (lambda: old(nn.utils.weight_norm), images(4)),
    "old spectral norm": (lambda: old(nn.utils.spectral_norm), images(4)),
    "spectral norm": (lambda: ending(parametrizations.spectral_norm(nn.Linear(4, 5)), nn.Tanh()), images(4)),
    "orthogonal": (lambda: ending(parametrizations.orthogonal(nn.Linear(4, 4)), nn.Tanh()), images(4)),
    "shared parametrization": (shared_parametrization, images(4)),
    "lists": (Lists, images(4)),
    "nested": (Nested, images(4)),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(5), nn.Tanh(), nn.LazyLinear(CLASSES)), images(4)),
    "frozen": (lambda: ending(nn.Linear(4, 5).requires_grad_(False), nn.Tanh()), images(4)),
}


def make(name):
    """Make a model, and inputs and targets for it."""
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(2)
    model, inputs = ZOO[name][0](), ZOO[name][1](generator)
    model = model.double()
    with torch.no_grad():
        model(inputs)  # lazy layers take their shapes
    return model, (inputs, torch.randint(0, CLASSES, (7,), generator=generator))
