"""Which files of a folder are checkpoints, in what order, and of which iterations."""

import re
from dataclasses import dataclass
from pathlib import Path

from lca_analysis.errors import ArgumentError, FormatError, NotFoundError
from lca_analysis.trajectory.importing.description import natural

SUFFIXES = {".safetensors": "safetensors", ".pt": "torch", ".pth": "torch", ".bin": "torch"}


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint: its file, its name within the folder, its training iteration, its format."""

    path: Path
    name: str
    iteration: int
    format: str


def list_checkpoints(folder: Path, pattern: str | None) -> list[CheckpointFile]:
    """List the checkpoints of a folder by ascending iteration.

    Parameters
    ----------
    folder : Path
        The folder.
    pattern : str, optional
        What the path of a checkpoint within the folder looks like: a name in which ``{iteration}`` stands for the
        number, or a regular expression whose group (the one named ``iteration``, or else the only one) is the number.
        None takes every checkpoint of the folder itself in natural order, as iterations 0, 1, 2, ….

    Raises
    ------
    NotFoundError
        There is no such folder, or no checkpoint in it.
    FormatError
        It is no folder.
    ArgumentError
        The pattern cannot be used, or does not tell the checkpoints apart.
    """
    if not folder.exists():
        raise NotFoundError(f"{folder} does not exist; name a folder of checkpoints")
    if not folder.is_dir():
        raise FormatError(f"{folder} is a file; name the folder of the checkpoints")
    found = _in_natural_order(folder) if pattern is None else _by_pattern(folder, pattern)
    formats = {checkpoint.format for checkpoint in found}
    if len(formats) > 1:
        raise ArgumentError(
            f"{folder} holds both safetensors and torch files; say which are the checkpoints by a pattern, such as "
            f"{suggest_pattern([found[0].name]) or found[0].name!r}"
        )
    return found


def _in_natural_order(folder: Path) -> list[CheckpointFile]:
    names = sorted((path.name for path in folder.iterdir() if _is_checkpoint(path)), key=natural)
    if not names:
        raise NotFoundError(
            f"{folder} holds no checkpoints ({', '.join(SUFFIXES)}); for those in its folders give a pattern such as "
            "'checkpoint-{iteration}/model.safetensors'"
        )
    return [CheckpointFile(folder / name, name, place, _format(name)) for place, name in enumerate(names)]


def _by_pattern(folder: Path, pattern: str) -> list[CheckpointFile]:
    expression, group = _compile(pattern)
    by_iteration: dict[int, CheckpointFile] = {}
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if _is_checkpoint(path))
    for name in names:
        match = expression.fullmatch(name)
        if match is None:
            continue
        iteration = _number(match[group], name)
        if iteration in by_iteration:
            raise ArgumentError(
                f"{folder}: {by_iteration[iteration].name} and {name} are both iteration {iteration} by the pattern "
                f"{pattern!r}"
            )
        by_iteration[iteration] = CheckpointFile(folder / name, name, iteration, _format(name))
    if not by_iteration:
        shown = ", ".join(names[:3]) or "none"
        raise NotFoundError(f"{folder}: no checkpoint fits the pattern {pattern!r}; there are: {shown}")
    return [by_iteration[iteration] for iteration in sorted(by_iteration)]


def _compile(pattern: str) -> tuple[re.Pattern[str], str | int]:
    """Turn a pattern into an expression and the group that is the number."""
    if pattern.count("{iteration}") == 1:
        before, after = map(re.escape, pattern.split("{iteration}"))
        return re.compile(f"{before}([0-9]+){after}"), 1
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ArgumentError(f"the pattern {pattern!r} is no regular expression: {error}") from error
    if "iteration" in expression.groupindex:
        return expression, "iteration"
    if expression.groups != 1:
        raise ArgumentError(f"the pattern {pattern!r} must have {{iteration}}, or one group, where the number stands")
    return expression, 1


def _number(text: str | None, name: str) -> int:
    if text is None or not re.fullmatch("[0-9]{1,18}", text):
        raise ArgumentError(f"the pattern finds {text!r} in {name}, which is no iteration number")
    return int(text)


def _is_checkpoint(path: Path) -> bool:
    return path.suffix in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _format(name: str) -> str:
    return SUFFIXES[Path(name).suffix]


def suggest_pattern(names: list[str]) -> str | None:
    """Give the pattern by which names differ in their last number alone; None when there is none."""
    parts = [re.fullmatch(r"(.*?)([0-9]+)([^0-9]*)", name) for name in names]
    shapes = {(part[1], part[3]) if part else None for part in parts}
    shape = shapes.pop()
    return None if shapes or shape is None else f"{shape[0]}{{iteration}}{shape[1]}"
