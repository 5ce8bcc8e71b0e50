"""Which units (neurons, channels, features, words) the entries of a tensor belong to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lca_analysis.trajectory import TensorInfo

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_BY_FIRST_AXIS = (
    nn.Linear,
    nn.Bilinear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.Embedding,
    nn.EmbeddingBag,
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)
_PROJECTIONS = {"in_proj": 0, "q_proj": 0, "k_proj": 1, "v_proj": 2}


@dataclass(frozen=True)
class Units:
    """The units of a tensor.

    Attributes
    ----------
    shape : tuple of 4 int
        The tensor's shape as groups × inputs × units of a group × rest: summed over inputs and rest, what is left are
        its units.
    first, total : int
        Number of its first unit in the layer, and of units that the layer has.
    """

    shape: tuple[int, int, int, int]
    first: int
    total: int

    def of_rows(self, first: int, count: int) -> NDArray[np.intp]:
        """Give the units of consecutive rows, of ``rest`` entries each."""
        rows = np.arange(first, first + count)
        _, inputs, units, _ = self.shape
        return self.first + rows // (inputs * units) * units + rows % units


def find_units(tensor: TensorInfo, owner: nn.Module) -> Units | None:
    """Find the units of a tensor.

    Parameters
    ----------
    tensor : TensorInfo
        The tensor.
    owner : torch.nn.Module
        The module that has it: its class says what the units are.

    Returns
    -------
    Units or None
        Its first axis; in transposed convolutions the output channels; in attention the features of the projected
        queries, then keys, then values. None when it has no units.
    """
    name = tensor.name.rpartition(".")[2]
    if not tensor.size or not tensor.shape:
        return None
    if isinstance(owner, nn.MultiheadAttention):
        return _attention_units(tensor, name, owner.embed_dim)
    if name not in ("weight", "bias"):
        return None
    if isinstance(owner, _TRANSPOSED) and len(tensor.shape) > 1:
        inputs, outputs = tensor.shape[0] // owner.groups, tensor.shape[1]
        rest = tensor.size // (owner.groups * inputs * outputs)
        return Units((owner.groups, inputs, outputs, rest), 0, owner.groups * outputs)
    if isinstance(owner, (*_BY_FIRST_AXIS, *_TRANSPOSED)):
        return _rows(tensor, 0, tensor.shape[0])
    return None


def _attention_units(tensor: TensorInfo, name: str, features: int) -> Units:
    """Find the units of attention's own tensors; its output projection is a layer of its own."""
    total = 3 * features
    if name in ("bias_k", "bias_v"):
        # One more key and value of every sequence, feature by feature.
        return Units((1, 1, features, 1), features * (1 if name == "bias_k" else 2), total)
    return _rows(tensor, features * _PROJECTIONS[name.removesuffix("_weight").removesuffix("_bias")], total)


def _rows(tensor: TensorInfo, first: int, total: int) -> Units:
    """Take the first axis."""
    return Units((1, 1, tensor.shape[0], tensor.size // tensor.shape[0]), first, total)
