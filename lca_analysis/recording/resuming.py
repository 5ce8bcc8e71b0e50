"""Going on with the run of a training that was stopped, if it is the same training at the same point."""

import os
import warnings
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lca_analysis.errors import MismatchError
from lca_analysis.recording.policy import is_due
from lca_analysis.recording.tensors import as_array
from lca_analysis.trajectory import Manifest, Point, RecordingPolicy, Run, RunWriter, TensorInfo, open_run
from lca_analysis.trajectory.manifest import MANIFEST_NAME


def holds_run(path: str | os.PathLike[str]) -> bool:
    """Whether there is a run to go on with."""
    return (Path(path) / MANIFEST_NAME).is_file()


def resume_run(
    path: str | os.PathLike[str], described: Manifest, tensors: dict[str, torch.Tensor], iteration: int | None
) -> tuple[RunWriter, int]:
    """Open a run for the points that follow an iteration, if it is the run of this training.

    Parameters
    ----------
    path : str or path-like
        The run folder.
    described : Manifest
        This training, described as a new run would be.
    tensors : dict of str to Tensor
        The model's tensors as they are.
    iteration : int, optional
        Where this training stands; None: at the last recorded point.

    Returns
    -------
    writer : RunWriter
        Open behind the last point up to that iteration; what came later is gone.
    iteration : int
        Where this training stands.

    Raises
    ------
    MismatchError
        It is another training, or stands at another point; nothing was changed.
    """
    run = open_run(path)
    check_description(run.path, run.manifest, described)
    recorded = run.iterations.tolist()
    now = iteration if iteration is not None else max(recorded, default=0)
    kept = max((point for point in recorded if point <= now), default=None)
    point = None if kept is None else next(run.walk(kept, kept))
    _check_members(run, point, described.optimizer.members)
    if point is not None and kept == now:
        check_weights(run, point, tensors)
    else:
        _say_uncompared(run, kept, now)
    if kept is None:  # all points come later, or there are none
        return RunWriter.create(path, run.manifest, overwrite=True), now
    return RunWriter.resume(path, kept), now


def check_description(path: str, then: Manifest, now: Manifest) -> None:
    """Raise MismatchError for the first thing in which a training differs from that of a run."""
    differences = [
        *_tensor_differences(then.tensors, now.tensors),
        _difference("the optimizer", then.optimizer.name or "none", now.optimizer.name or "none"),
        _difference("follows_gradient of its updates", then.optimizer.follows_gradient, now.optimizer.follows_gradient),
        *_policy_differences(then.recording, now.recording),
        _difference("the problem", then.problem, now.problem) if now.problem is not None else "",
    ]
    for difference in filter(None, differences):
        raise MismatchError(
            f"{path} cannot go on with this training: {difference}; build model, optimizer and Recorder as before, "
            "or record to another folder"
        )


def check_weights(run: Run, point: Point, tensors: dict[str, torch.Tensor]) -> None:
    """Raise MismatchError unless the parameters are, to the bit, the recorded ones; warn about other buffers.

    Of a run with a bounded error, only what it holds exactly is compared, and a warning says so.
    """
    if not run.manifest.recording.lossless:
        warnings.warn(
            f"{run.path} holds rounded weights: only its vectors, buffers and whole numbers were compared with the "
            f"model's at iteration {point.iteration}",
            UserWarning,
            stacklevel=5,
        )
    for tensor in run.tensors:
        if not run.manifest.recording.lossless and tensor.role == "parameter" and len(tensor.shape) > 1:
            continue
        if other := _unequal(point.weights[tensor.name], as_array(tensors[tensor.name].detach().cpu())):
            _report_unequal(run, point.iteration, tensor, other)


def _report_unequal(run: Run, iteration: int, tensor: TensorInfo, number: int) -> None:
    """Say what is not as recorded: for a parameter an error, for a buffer, which forward passes change, a warning."""
    found = (
        f"{number} of {tensor.size} elements of {tensor.name!r} are not those that {run.path} holds "
        f"at iteration {iteration}"
    )
    if tensor.role == "buffer":
        warnings.warn(f"{found}: recording goes on with those of the model", UserWarning, stacklevel=6)
        return
    raise MismatchError(
        f"{found}: load the checkpoint into the model before recording starts, and pass iteration= with the number "
        f"of optimizer steps behind it (without it, the run's last recorded iteration, {run.iterations[-1]}, counts)"
    )


def _unequal(then: NDArray[Any], now: NDArray[Any]) -> int:
    """Count the elements that differ in a bit."""
    width = then.dtype.itemsize
    bits = [np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(-1, width) for array in (then, now)]
    return int((bits[0] != bits[1]).any(axis=1).sum())


def _tensor_differences(then: list[TensorInfo], now: list[TensorInfo]) -> list[str]:
    """Name tensors that are missing, new, or of another kind."""
    left = {tensor.name: tensor for tensor in now}
    found = []
    for old in then:
        new = left.pop(old.name, None)
        if new is None:
            found.append(f"the model has no tensor {old.name!r}, which the run has")
        elif (old.shape, old.dtype, old.role) != (new.shape, new.dtype, new.role):
            kinds = [f"a {tensor.role} of {tensor.dtype} {tensor.shape}" for tensor in (old, new)]
            found.append(_difference(f"tensor {old.name!r}", *kinds))
    return [*found, *(f"the model has a tensor {name!r}, which the run has not" for name in left)]


def _policy_differences(then: RecordingPolicy, now: RecordingPolicy) -> list[str]:
    """Name settings of the recording that are others."""
    names = ("every", "windows", "error_fraction", "preset", "segment_length")
    return [_difference(name, getattr(then, name), getattr(now, name)) for name in names]


def _check_members(run: Run, point: Point | None, now: list[list[str]]) -> None:
    """Raise MismatchError unless the optimizer's groups hold the tensors that they held at a point."""
    known = run.manifest.optimizer.members
    later = [] if point is None else point.hyperparameters[len(known) :]
    for number, (old, new) in enumerate(zip_longest([*known, *(group["members"] for group in later)], now)):
        if old != new:
            words = ["no such group" if names is None else ", ".join(names) or "no tensor" for names in (old, new)]
            raise MismatchError(
                f"{run.path} cannot go on with this training: "
                f"{_difference(f'parameter group {number} of the optimizer', *words)}; make the groups as before"
            )


def _say_uncompared(run: Run, kept: int | None, now: int) -> None:
    """Warn that there is no recorded point to compare the weights with, and what that means for the run."""
    if kept is None and now == 0:
        return
    meaning = "the weights cannot be compared with recorded ones"
    if is_due(run.manifest.recording, now):
        before = "and none before it" if kept is None else f"its last one before is at {kept}"
        meaning += f"; the points in between were lost ({before}), and the way from there is recorded as one long step"
    warnings.warn(f"{run.path} has no point at iteration {now}: {meaning}", UserWarning, stacklevel=5)


def _difference(what: str, then: object, now: object) -> str:
    """Say that something was one thing and is another; "" when it is the same."""
    return "" if then == now else f"{what} is {now}, and in the run {then}"
