"""Reading a .safetensors file into numpy arrays."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import CorruptError, FormatError, MissingDependencyError
from lca_analysis.trajectory.importing.description import Described, model_order
from lca_analysis.trajectory.words import word_format

_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
}


def read_safetensors(path: Path) -> tuple[list[Described], dict[str, NDArray[Any]]]:
    """Read every tensor of a file; bfloat16 as its uint16 words.

    The format keeps no order of its own, so layers come in the natural order of their names, weights before biases.

    Raises
    ------
    MissingDependencyError
        safetensors is not installed.
    CorruptError
        The file is damaged or no safetensors file.
    FormatError
        A tensor has a dtype that runs do not hold.
    """
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError as error:
        raise MissingDependencyError(
            f"{path.name} needs the package safetensors: pip install 'lca-analysis[safetensors]'"
        ) from error
    try:
        # deserialize knows bfloat16, which the library's numpy interface does not.
        found = dict(deserialize(path.read_bytes()))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise CorruptError(f"{path} is damaged or no safetensors file: {error}") from error
    described, arrays = [], {}
    for name in sorted(found, key=model_order):
        dtype = _dtype(path, name, found[name]["dtype"])
        array = np.frombuffer(found[name]["data"], word_format(dtype).storage).reshape(found[name]["shape"])
        described.append(Described(name, array.shape, dtype))
        arrays[name] = array
    return described, arrays


def _dtype(path: Path, name: str, code: str) -> str:
    if code not in _DTYPES:
        raise FormatError(f"{path}: tensor {name!r} has dtype {code}, which a run cannot hold")
    return _DTYPES[code]
