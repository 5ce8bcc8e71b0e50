"""run.json: what a run is made of, in a form that any program can read."""

import math
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from lca_analysis.disk import write_atomic
from lca_analysis.errors import CorruptError, FormatError
from lca_analysis.trajectory.words import word_format

FORMAT = "lca-run"
FORMAT_VERSION = 5
READABLE = (2, 3, 4, 5)
MANIFEST_NAME = "run.json"
ROOT_LAYER = "(root)"  # the model itself, where it owns tensors
MAX_ELEMENTS = 2**36  # of all tensors together: a larger claim is damage, not a model


class TensorInfo(msgspec.Struct, frozen=True):
    """One recorded tensor.

    Attributes
    ----------
    name : str
        As in ``model.named_parameters()`` or ``named_buffers()``.
    shape : tuple of int
        Its shape; () for a scalar.
    dtype : str
        "float32", "float64", "float16", "bfloat16", or an integer type.
    layer : str
        Path of the module that owns it, "(root)" for the model itself.
    kind : str
        "weight", "bias", "norm_weight", "norm_bias", "embedding", "other" or "buffer".
    module : str
        Class name of the owning module.
    role : str
        "parameter" or "buffer".
    trainable : bool
        Whether it required a gradient when recording began.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layer: str
    kind: str
    module: str
    role: str
    trainable: bool

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class ProblemReference(msgspec.Struct, frozen=True):
    """What the run was trained on: a function that builds it, its arguments, and data fingerprints.

    Attributes
    ----------
    target : str
        "package.module:function" or "path/to/file.py:function".
    arguments : dict
        JSON arguments of the function.
    fingerprints : dict of str to str
        Split name to hexadecimal SHA-256; may be empty.
    """

    target: str
    arguments: dict[str, Any] = {}
    fingerprints: dict[str, str] = {}


class OptimizerInfo(msgspec.Struct, frozen=True):
    """The optimizer at the start.

    Attributes
    ----------
    name : str
        Its class; "" for none.
    groups : list of dict
        Hyper-parameters of each group.
    members : list of list of str
        Tensors of each group.
    fresh : bool
        Whether it had no state yet: its momentum is zero in the first step.
    follows_gradient : bool
        Whether what it is given is a gradient of the training loss; direct feedback alignment, for one, gives others.
    """

    name: str = ""
    groups: list[dict[str, Any]] = []
    members: list[list[str]] = []
    fresh: bool = False
    follows_gradient: bool = True


class RecordingPolicy(msgspec.Struct, frozen=True):
    """How the run was recorded.

    Attributes
    ----------
    every : int
        Every k-th step.
    preset : str
        The codec's preset.
    lossless : bool
        Whether every number is exact to the bit; it is when `error_fraction` is 0.
    segment_length : int
        Points per segment.
    error_fraction : float
        Largest error of a recorded parameter, as a fraction f of the running mean |step| of its reconstruction.
    windows : list of (int, int)
        First and last iteration of each stretch that is recorded; without any, all are.
    """

    every: int = 1
    preset: str = "small"
    lossless: bool = True
    segment_length: int = 256
    error_fraction: float = 0.0
    windows: list[tuple[int, int]] = []


class ImportSource(msgspec.Struct, frozen=True):
    """Where an imported run comes from.

    Attributes
    ----------
    format : str
        "hdf5", "safetensors" or "torch".
    name : str
        Of the file or folder, without its place.
    cautions : list of str
        What the points spoil, and other things that a reader of the statistics must know.
    """

    format: str
    name: str
    cautions: list[str] = []


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of run.json.

    Attributes
    ----------
    format, format_version : str, int
        "lca-run" and the version of the format, checked on opening.
    run_id : str
        Hexadecimal UUID.
    name : str
        The user's name for the run.
    created : str
        ISO 8601, UTC.
    tensors : list of TensorInfo
        Parameters, then buffers.
    optimizer : OptimizerInfo
        The optimizer when recording began.
    problem : ProblemReference, optional
        What the run was trained on.
    seeds : dict of str to int
        Seeds by name.
    versions : dict of str to str
        Versions of the libraries.
    recording : RecordingPolicy
        How it was recorded.
    tags : dict of str to str
        The user's own labels.
    source : ImportSource, optional
        Where it was imported from; None for a recorded run.
    closed_at : int, optional
        Last iteration of a run that was closed as complete; None while it is being written, or was not closed.
    """

    run_id: str
    name: str
    created: str
    tensors: list[TensorInfo]
    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    optimizer: OptimizerInfo = OptimizerInfo()
    problem: ProblemReference | None = None
    seeds: dict[str, int] = {}
    versions: dict[str, str] = {}
    recording: RecordingPolicy = RecordingPolicy()
    tags: dict[str, str] = {}
    source: ImportSource | None = None
    closed_at: int | None = None

    @property
    def layout_checksum(self) -> int:
        """CRC-32 of run id, tensor table and error fraction; keyframes repeat it to tie segments to their run."""
        return zlib.crc32(msgspec.json.encode([self.run_id, self.tensors, float(self.recording.error_fraction)]))


class _Head(msgspec.Struct):
    format: str
    format_version: int


def encode_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode_manifest(data: bytes, where: str) -> Manifest:
    """Read run.json and check it.

    Parameters
    ----------
    data : bytes
        Content of the file.
    where : str
        Its path, for messages.

    Returns
    -------
    Manifest
        The checked manifest.

    Raises
    ------
    FormatError
        If it is not the manifest of a run or of a newer format version.
    CorruptError
        If it is one, and damaged.
    """
    head = _decode_head(data, where)
    if head.format != FORMAT:
        raise FormatError(f"{where}: format is {head.format!r}, not {FORMAT!r}: this is not a run")
    if head.format_version > FORMAT_VERSION:
        raise FormatError(
            f"{where}: format version {head.format_version} is newer than {FORMAT_VERSION}, the newest that this "
            "lca-analysis reads: upgrade lca-analysis"
        )
    if head.format_version not in READABLE:
        raise FormatError(
            f"{where}: format version {head.format_version} is older than {READABLE[0]}, the oldest that this "
            "lca-analysis reads: record the run again"
        )
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptError(f"{where}: damaged manifest: {error}") from error
    check_manifest(manifest, where)
    return manifest


def _decode_head(data: bytes, where: str) -> _Head:
    try:
        return msgspec.json.decode(data, type=_Head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(
            f"{where}: not the manifest of a run, or not the whole of one: {error}; name a run folder, or put the file "
            "back from a copy"
        ) from error


def check_manifest(manifest: Manifest, where: str) -> None:
    """Raise CorruptError unless tensor names are unique, shapes sensible and dtypes known."""
    names = [tensor.name for tensor in manifest.tensors]
    if len(set(names)) != len(names):
        raise CorruptError(f"{where}: a tensor name occurs twice")
    for tensor in manifest.tensors:
        _check_tensor(tensor, where)
    if sum(tensor.size for tensor in manifest.tensors) > MAX_ELEMENTS:
        raise CorruptError(f"{where}: the tensors claim more than 2^36 elements")
    if manifest.recording.segment_length < 1 or manifest.recording.every < 1:
        raise CorruptError(f"{where}: segment_length and every must be at least 1")
    fraction = manifest.recording.error_fraction
    if not 0 <= fraction <= 1 or manifest.recording.lossless != (fraction == 0):
        raise CorruptError(f"{where}: error_fraction must be 0 for a lossless run, above 0 and at most 1 for another")
    if not are_windows(manifest.recording.windows):
        raise CorruptError(f"{where}: the windows {manifest.recording.windows} do not follow one another")
    if not re.fullmatch(r"[0-9a-f]{32}", manifest.run_id):
        raise CorruptError(f"{where}: run_id is not 32 hexadecimal digits")


def are_windows(windows: Sequence[tuple[int, int]]) -> bool:
    """Whether windows hold at least one iteration each, none below 0, and follow one another without overlap."""
    ends = [-1, *(end for window in windows for end in window)]
    starts_later = all(ends[number] < ends[number + 1] for number in range(0, len(ends) - 1, 2))
    return starts_later and all(first <= last for first, last in windows)


def _check_tensor(tensor: TensorInfo, where: str) -> None:
    """Raise CorruptError for a shape, dtype or role that no tensor has."""
    try:
        word_format(tensor.dtype)
    except FormatError as error:
        raise CorruptError(f"{where}: tensor {tensor.name!r}: {error}") from error
    if len(tensor.shape) > 32 or any(length < 0 for length in tensor.shape):
        raise CorruptError(f"{where}: tensor {tensor.name!r} has the impossible shape {tensor.shape}")
    if tensor.role not in ("parameter", "buffer"):
        raise CorruptError(f"{where}: tensor {tensor.name!r} has the unknown role {tensor.role!r}")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write run.json so that it is there whole or not at all."""
    write_atomic(folder / MANIFEST_NAME, encode_manifest(manifest))
