"""Reading a torch state dict into numpy arrays, executing nothing."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from lca_analysis.errors import CorruptError, FormatError
from lca_analysis.recording.tensors import DTYPES, as_array
from lca_analysis.trajectory.importing import Described

_CONTAINERS = ("state_dict", "model_state_dict", "model")


def read_state_dict(path: Path) -> tuple[list[Described], dict[str, NDArray[Any]]]:
    """Read the tensors of a file in its order; tied ones once, under their first name.

    Raises
    ------
    FormatError
        It holds more than tensors and plain values, no state dict, or a tensor that runs do not hold.
    CorruptError
        It cannot be read.
    """
    tensors = _untied(_find(path, _load(path)))
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPES or tensor.layout is not torch.strided or tensor.is_meta:
            raise FormatError(
                f"{path}: tensor {name!r} ({tensor.dtype}, {tensor.layout}, {tensor.device}) is none that runs hold"
            )
    described = [Described(name, tuple(tensor.shape), DTYPES[tensor.dtype]) for name, tensor in tensors.items()]
    return described, {name: as_array(tensor) for name, tensor in tensors.items()}


def _load(path: Path) -> Any:
    _check_beginning(path)
    try:
        _check_sums(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FormatError(
            f"{path} holds more than tensors and plain values, and is not loaded, because that would run code from the "
            "file; save model.state_dict() instead"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CorruptError(
            f"{path} ({path.stat().st_size:,} bytes) begins as a torch file and cannot be read: it is damaged or cut "
            "off, as by a copy or a save that was broken off; copy it again, or leave it out by a pattern of the other "
            f"files' names ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no more is known'})"
        ) from error


def _check_beginning(path: Path) -> None:
    """Raise for a file that does not even begin as torch.save writes: a zip archive, or in old versions a pickle."""
    with path.open("rb") as file:
        beginning = file.read(4)
    if not beginning:
        raise CorruptError(f"{path} is empty: its save was broken off; remove it, or leave it out by a pattern")
    if not (beginning.startswith(b"PK") or beginning[0] == 0x80):
        raise FormatError(
            f"{path} is no torch file: it begins with {beginning!r}, not as torch.save writes; if it is something "
            "else, leave it out by a pattern of the checkpoints' names"
        )


def _check_sums(path: Path) -> None:
    """Compare a zip archive with its own checksums, which torch.load does not look at; BadZipFile for what differs."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        # All are 0 where torch was told to save without them.
        damaged = archive.testzip() if any(entry.CRC for entry in archive.infolist()) else None
    if damaged is not None:
        raise zipfile.BadZipFile(f"{damaged} does not have its checksum")


def _find(path: Path, content: Any) -> dict[str, torch.Tensor]:
    """Find the state dict, at the top or in one of the usual containers."""
    inside = [content[name] for name in _CONTAINERS if isinstance(content, Mapping) and name in content]
    for candidate in [*inside, content]:
        if isinstance(candidate, Mapping):
            tensors = {str(name): value for name, value in candidate.items() if isinstance(value, torch.Tensor)}
            if tensors:
                return tensors
    raise FormatError(f"{path} holds no state dict, neither at the top nor under {', '.join(_CONTAINERS)}")


def _untied(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Drop further names of the same memory."""
    first: dict[tuple[Any, ...], str] = {}
    for name, tensor in tensors.items():
        own = tensor.layout is not torch.strided or not tensor.numel()
        key = (name,) if own else (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        first.setdefault(key, name)
    return {name: tensors[name] for name in first.values()}
