"""From a reference to a Problem: the one place where a run's own code is executed."""

import contextlib
import importlib
import importlib.util
import inspect
import os
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch

from lca_analysis.errors import ArgumentError, LcaError, MismatchError, NotFoundError
from lca_analysis.problems.problem import Problem
from lca_analysis.trajectory import ProblemReference

BUILTIN = "lca_analysis.problems.builtin"
PROBLEMS = ("mnist_fc", "mnist_lenet", "cifar_resnet20", "cifar_allcnn", "digits_mlp")
_PACKAGE = __name__.split(".", maxsplit=1)[0]


def build_problem(
    reference: str | ProblemReference, run: str | os.PathLike[str] | None = None, /, **arguments: Any
) -> Problem:
    """Build a problem by calling the function that a reference names.

    torch's global random state is afterwards what it was before. The function sees that state, so a model that it
    initialises without a seed of its own follows an earlier ``torch.manual_seed``.

    Parameters
    ----------
    reference : str or ProblemReference
        A built-in name (see `PROBLEMS`), "package.module:function", or "path/to/file.py:function" with the path
        relative to the current directory. The function's module must import lca_analysis, which keeps a run from a
        stranger from naming any other function.
    run : str or path-like, optional
        Folder of a run; a relative path of a file that is not found from the current directory is then looked for
        from the folder that the run's folder is in.
    **arguments
        Arguments of the function, JSON values; they replace those of a ProblemReference.

    Returns
    -------
    Problem
        With its `reference` set, fingerprints of every split included.

    Raises
    ------
    NotFoundError
        The module, file or function is not there.
    ArgumentError
        The arguments do not fit the function, it raises, or gives no Problem.
    MismatchError
        The function is not one that builds a problem.
    """
    target = reference if isinstance(reference, str) else reference.target
    if isinstance(reference, ProblemReference):
        arguments = {**reference.arguments, **arguments}
    with _random_state_kept(), _imports_from(target, run) as place:
        function = _find(target, place)
        _check_arguments(target, function, arguments)
        problem = _call(target, function, arguments)
    fingerprints = {name: problem.fingerprint(name) for name in problem.splits}
    problem.reference = ProblemReference(target, arguments, fingerprints)
    return problem


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    """Put torch's random state back, on every device."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield


@contextlib.contextmanager
def _imports_from(target: str, run: str | os.PathLike[str] | None) -> Iterator[Path | None]:
    """Give the target's file, if it names one; meanwhile the files beside it can be imported."""
    place = target.rpartition(":")[0]
    if not place.endswith(".py"):
        yield None
        return
    path = _locate(place, run)
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)
    try:
        yield path
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _locate(place: str, run: str | os.PathLike[str] | None) -> Path:
    """Find a Python file from the current directory, or from beside the run's folder."""
    roots = [Path.cwd()] if run is None else [Path.cwd(), Path(run).resolve().parent]
    for root in roots:
        if (root / place).is_file():
            return root / place
    raise NotFoundError(
        f"there is no file {place} (looked from {' and from '.join(str(root) for root in roots)}); run from the "
        "folder it is relative to, or name it with --problem"
    )


def _find(target: str, file: Path | None) -> Callable[..., Any]:
    """Find the function that a target names."""
    if target in PROBLEMS:
        return getattr(importlib.import_module(BUILTIN), target)
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise NotFoundError(
            f"there is no problem {target!r}; name one of {', '.join(PROBLEMS)}, or your own as "
            "package.module:function or path/to/file.py:function"
        )
    module = _import(place, target) if file is None else _load_file(file, place)
    function = getattr(module, name, None)
    if function is None:
        raise NotFoundError(f"{place} has no function {name!r}")
    _check_trust(target, function)
    return function


def _check_trust(target: str, function: Any) -> None:
    """Raise unless this is a plain function of a module that uses lca_analysis, or a built-in problem."""
    if not isinstance(function, types.FunctionType):
        raise MismatchError(f"{target} is not a Python function that builds a Problem")
    module = function.__module__.split(".")[0]
    imports_us = any(
        (isinstance(value, types.ModuleType) and value.__name__.split(".")[0] == _PACKAGE)
        or str(getattr(value, "__module__", "")).split(".")[0] == _PACKAGE
        for value in function.__globals__.values()
    )
    if module == _PACKAGE or not imports_us:
        raise MismatchError(f"{target} does not build a Problem: the module of the function must import lca_analysis")


def _import(place: str, target: str) -> types.ModuleType:
    """Import an installed module, or one in the current directory."""
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise NotFoundError(f"{target}: cannot import {place!r}: {error}") from error
    except Exception as error:
        raise ArgumentError(f"{target}: importing {place} raised {type(error).__name__}: {error}") from error


def _load_file(path: Path, place: str) -> types.ModuleType:
    """Execute a Python file as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"_problem_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise NotFoundError(f"{place} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ArgumentError(
            f"{place} raised {type(error).__name__}: {error}; it is imported here, not run: keep what a script does "
            'under if __name__ == "__main__"'
        ) from error
    return module


def _check_arguments(target: str, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Raise for arguments that the function does not take, or that JSON cannot hold."""
    try:
        inspect.signature(function).bind(**arguments)
    except TypeError as error:
        signature = inspect.signature(function)
        raise ArgumentError(f"{target}{signature}: {error}") from error
    try:
        held = msgspec.json.decode(msgspec.json.encode(arguments)) == arguments
    except (TypeError, msgspec.MsgspecError):
        held = False
    if not held:
        raise ArgumentError(f"{target}: the arguments must be JSON values (numbers, words, lists), not {arguments}")


def _call(target: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Problem:
    """Call the function and check what it gives."""
    try:
        problem = function(**arguments)
    except LcaError:
        raise
    except (Exception, SystemExit) as error:
        raise ArgumentError(f"{target} raised {type(error).__name__}: {error}") from error
    if not isinstance(problem, Problem):
        raise ArgumentError(f"{target} gave {type(problem).__name__}, not a Problem")
    problem.check_loss()
    return problem
