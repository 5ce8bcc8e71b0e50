"""import_checkpoints: a run from a folder of checkpoint files."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lca_analysis.errors import FormatError, MismatchError
from lca_analysis.recording.state_dicts import read_state_dict
from lca_analysis.trajectory import ImportSource, ProblemReference, Run, TensorInfo
from lca_analysis.trajectory.importing import (
    CheckpointFile,
    Described,
    Foreign,
    ImportOptions,
    copy_into_run,
    describe_by_names,
    list_checkpoints,
    read_safetensors,
    suggest_pattern,
)

_READERS = {"safetensors": read_safetensors, "torch": read_state_dict}
_WRAPPERS = ("module.", "_orig_mod.")


def import_checkpoints(
    source: str | os.PathLike[str],
    run: str | os.PathLike[str],
    *,
    pattern: str | None = None,
    buffers: Sequence[str] = (),
    problem: str | ProblemReference | None = None,
    name: str = "",
    overwrite: bool = False,
    progress: bool | None = None,
) -> Run:
    """Make a run of a folder of .safetensors files or torch state dicts (.pt, .pth, .bin), one file per point.

    A torch file holds a state dict, or a dict with one under ``state_dict``, ``model_state_dict`` or ``model``; it is
    loaded with ``weights_only=True``, so that nothing in it is executed. What is no tensor is ignored, as is the
    optimizer's state. Prefixes of data-parallel and compiled models go. One checkpoint at a time is in memory.
    Safetensors files keep no order of tensors: layers come in the natural order of their names.

    Parameters
    ----------
    source : str or path-like
        The folder.
    run : str or path-like
        Folder for the run; new, or empty.
    pattern : str, optional
        Which files are the checkpoints, and where in their names the iteration stands:
        ``"step_{iteration}.pt"``, ``"checkpoint-{iteration}/model.safetensors"``, or a regular expression with a group.
        None takes all in natural order, as iterations 0, 1, 2, ….
    buffers : sequence of str
        Tensors that are no parameters; batch norm's running statistics and whole numbers are known.
    problem : str or ProblemReference, optional
        What the run was trained on.
    name : str
        Name of the run in tables and reports; by default that of its folder.
    overwrite : bool
        Replace an earlier run in this folder.
    progress : bool, optional
        Show a progress bar; None shows it on a terminal only.

    Returns
    -------
    Run
        The run, open. `Run.manifest.source` says where it comes from, and what its points spoil.

    Warns
    -----
    UserWarning
        The weights are in half precision, or the checkpoints are far apart; names the statistics that this spoils.

    Raises
    ------
    NotFoundError
        There is no such folder, or no checkpoint in it.
    FormatError, CorruptError
        A file is no checkpoint, or damaged.
    MismatchError
        A file holds other tensors than the first one.
    ArgumentError
        The pattern cannot be used, or the run's folder is in use.
    MissingDependencyError
        safetensors is not installed.
    """
    folder = Path(source)
    files = list_checkpoints(folder, pattern)
    first = _read(files[0])[0]
    tensors = describe_by_names(first, tuple(buffers))
    _check_buffers(files[0], tensors, buffers)
    origin = ImportSource(files[0].format, folder.resolve().name, _order_cautions(files, pattern))
    iterations = [file.iteration for file in files]
    foreign = Foreign(origin, tensors, iterations, _points(files, first))
    return copy_into_run(run, foreign, ImportOptions(problem, name, overwrite, progress))


def _points(files: list[CheckpointFile], first: list[Described]) -> Iterator[dict[str, NDArray[Any]]]:
    """Read the files one by one, each with the tensors of the first."""
    for file in files:
        described, arrays = _read(file)
        _check_same(file, described, files[0], first)
        yield arrays


def _read(file: CheckpointFile) -> tuple[list[Described], dict[str, NDArray[Any]]]:
    """Read a file, and name its tensors as the model inside its wrappers does."""
    described, arrays = _READERS[file.format](file.path)
    if not described:
        raise FormatError(f"{file.path} holds no tensor: it is no checkpoint")
    for prefix in [*_WRAPPERS, *_WRAPPERS]:
        if all(tensor.name.startswith(prefix) for tensor in described):
            cut = len(prefix)
            described = [Described(tensor.name[cut:], tensor.shape, tensor.dtype) for tensor in described]
            arrays = {name[cut:]: array for name, array in arrays.items()}
    return described, arrays


def _check_same(
    file: CheckpointFile, found: list[Described], first_file: CheckpointFile, first: list[Described]
) -> None:
    """Raise MismatchError for the first tensor that differs."""
    here = {tensor.name: tensor for tensor in found}
    for tensor in first:
        other = here.pop(tensor.name, None)
        if other is None:
            raise MismatchError(f"{file.path} has no tensor {tensor.name!r}, which {first_file.name} has")
        if other != tensor:
            raise MismatchError(
                f"{file.path}: tensor {tensor.name!r} is {other.dtype} {other.shape}, but {tensor.dtype} "
                f"{tensor.shape} in {first_file.name}"
            )
    for name in here:
        raise MismatchError(f"{file.path} has a tensor {name!r}, which {first_file.name} has not")


def _check_buffers(file: CheckpointFile, tensors: list[TensorInfo], buffers: Sequence[str]) -> None:
    known = {tensor.name for tensor in tensors}
    for name in buffers:
        if name not in known:
            raise MismatchError(f"{file.path} has no tensor {name!r}, which is named as a buffer")


def _order_cautions(files: list[CheckpointFile], pattern: str | None) -> list[str]:
    """Say that iterations were counted although the names have numbers, and how to use those."""
    suggestion = suggest_pattern([file.name for file in files])
    if pattern is not None or suggestion is None or len(files) < 2:
        return []
    before, after = suggestion.split("{iteration}")
    numbers = [int(file.name[len(before) : len(file.name) - len(after)]) for file in files]
    if numbers == [file.iteration for file in files]:
        return []
    return [
        f"the files are counted as iterations 0, 1, 2, …; to use the numbers in their names, import again with the "
        f"pattern {suggestion!r}"
    ]
