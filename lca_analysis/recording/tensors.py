"""Which tensors of a model are recorded, and what they are."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lca_analysis.errors import ArgumentError
from lca_analysis.trajectory import TensorInfo
from lca_analysis.trajectory.manifest import ROOT_LAYER

_NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)
DTYPES = {
    torch.float64: "float64",
    torch.float32: "float32",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.bool: "bool",
    torch.uint8: "uint8",
    torch.int8: "int8",
    torch.int16: "int16",
    torch.int32: "int32",
    torch.int64: "int64",
}


def unwrap(model: nn.Module) -> nn.Module:
    """Give the model inside ``torch.compile`` and data-parallel wrappers, whose tensors have the user's names."""
    inner = getattr(model, "_orig_mod", model)
    if isinstance(inner, nn.parallel.DistributedDataParallel | nn.DataParallel):
        inner = inner.module
    return model if inner is model else unwrap(inner)


def recorded_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Name the tensors to record: every parameter once, tied or not, then the buffers that a checkpoint holds."""
    checkpoint = model.state_dict().keys()  # asked once: hooks of the user's may hang on it
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in checkpoint}
    return {**dict(model.named_parameters()), **buffers}


def describe_tensors(model: nn.Module) -> list[TensorInfo]:
    """Describe the tensors of `recorded_tensors`, in its order.

    Raises
    ------
    ArgumentError
        A tensor is not initialised yet, or of a dtype that runs do not hold.
    """
    owners = dict(model.named_modules())
    return [_describe(name, tensor, owners) for name, tensor in recorded_tensors(model).items()]


def _describe(name: str, tensor: torch.Tensor, owners: dict[str, nn.Module]) -> TensorInfo:
    """Describe one tensor by the module that owns it."""
    if nn.parameter.is_lazy(tensor):
        raise ArgumentError(f"tensor {name!r} is not initialised yet: run one forward pass before recording")
    if tensor.is_meta:
        raise ArgumentError(f"tensor {name!r} is on the meta device and holds no numbers: give the model its weights")
    if hasattr(tensor, "full_tensor"):
        raise ArgumentError(f"tensor {name!r} is sharded over processes, and a run holds whole tensors only")
    if tensor.dtype not in DTYPES:
        raise ArgumentError(f"tensor {name!r} has dtype {tensor.dtype}, which a run cannot hold")
    layer, _, attribute = name.rpartition(".")
    owner = owners[layer]
    is_parameter = isinstance(tensor, nn.Parameter)
    return TensorInfo(
        name=name,
        shape=tuple(tensor.shape),
        dtype=DTYPES[tensor.dtype],
        layer=layer or ROOT_LAYER,
        kind=_kind(owner, attribute) if is_parameter else "buffer",
        module=type(owner).__name__,
        role="parameter" if is_parameter else "buffer",
        trainable=bool(tensor.requires_grad),
    )


def _kind(owner: nn.Module, attribute: str) -> str:
    """Say what a parameter is to its module."""
    role = "weight" if "weight" in attribute else "bias" if "bias" in attribute else "other"
    if isinstance(owner, _NORMS) and role != "other":
        return f"norm_{role}"
    if isinstance(owner, nn.Embedding | nn.EmbeddingBag) and role == "weight":
        return "embedding"
    return role


def as_array(tensor: torch.Tensor) -> NDArray[Any]:
    """Give a CPU tensor in C order as an array in its storage dtype, in the tensor's own memory where that is so.

    bfloat16 becomes its uint16 words.
    """
    plain = tensor.detach().contiguous()
    return plain.view(torch.int16).numpy().view(np.uint16) if plain.dtype is torch.bfloat16 else plain.numpy()
