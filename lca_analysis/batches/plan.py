"""What a batch consists of: its runs, found by path, pattern, folder or batch file, each with its settings."""

import glob
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lca_analysis.batches.settings import RunSettings, settings_from
from lca_analysis.errors import ArgumentError, NotFoundError

STORE, OUT = "store", "report"


@dataclass(frozen=True)
class Job:
    """One run to take from recording to report."""

    path: str
    settings: RunSettings


@dataclass(frozen=True)
class Plan:
    """All runs of a batch, and where their tables and reports go."""

    jobs: list[Job]
    store: str
    out: str


class _RunEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A [[run]] of a batch file."""

    path: str
    settings: dict[str, Any] = msgspec.field(default_factory=dict)


class _BatchFile(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a batch file."""

    runs: list[str] = msgspec.field(default_factory=list)
    store: str = STORE
    out: str = OUT
    defaults: dict[str, Any] = msgspec.field(default_factory=dict)
    run: list[_RunEntry] = msgspec.field(default_factory=list)


def make_plan(targets: Sequence[str], store: str | None, out: str | None, settings: Mapping[str, Any]) -> Plan:
    """Find the runs of a batch.

    Parameters
    ----------
    targets : sequence of str
        Run folders, patterns of them, folders of runs; or one batch file (``.toml``).
    store, out : str, optional
        Folders of the tables and of the reports; by default those of the batch file, or "store" and "report".
    settings : mapping of str
        Settings of every run; they cannot be given with a batch file, which has its own.

    Returns
    -------
    Plan
        Each run once, in the order in which they were named.

    Raises
    ------
    NotFoundError
        A pattern matches nothing, or the batch file is not there.
    ArgumentError
        The batch file is not TOML, or a setting is unknown or cannot be used.
    """
    if not any(target.endswith(".toml") for target in targets):
        shared = settings_from(settings, "batch")
        paths = _find(targets)
        return Plan([Job(path, shared) for path in paths], store or STORE, out or OUT)
    if len(targets) > 1 or settings:
        raise ArgumentError("a batch file names its runs and settings itself; give it alone")
    return _read(Path(targets[0]), store, out)


def _read(file: Path, store: str | None, out: str | None) -> Plan:
    """Read a batch file; its paths are relative to the current directory, like those of the command line."""
    if not file.is_file():
        raise NotFoundError(f"there is no batch file {file}")
    try:
        content = msgspec.convert(_nested(tomllib.loads(file.read_text(encoding="utf-8"))), _BatchFile)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArgumentError(f"{file} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ArgumentError(f"{file}: {error}") from error
    chosen: dict[str, dict[str, Any]] = {path: {} for path in _find(content.runs)}
    for entry in content.run:
        for path in _find([entry.path]):
            chosen[path] = {**chosen.get(path, {}), **entry.settings}
    if not chosen:
        raise ArgumentError(f"{file} names no runs; give it a line like runs = ['runs/*']")
    settings_from(content.defaults, f"{file}, defaults")
    jobs = [
        Job(path, settings_from({**content.defaults, **own}, f"{file}, run {path}")) for path, own in chosen.items()
    ]
    return Plan(jobs, store or content.store, out or content.out)


def _nested(content: dict[str, Any]) -> dict[str, Any]:
    """Put the settings of each [[run]] apart from its path."""
    entries = content.get("run", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return content
    apart = [
        {
            **({"path": entry["path"]} if "path" in entry else {}),
            "settings": {name: value for name, value in entry.items() if name != "path"},
        }
        for entry in entries
    ]
    return {**content, "run": apart}


def _find(targets: Sequence[str]) -> list[str]:
    """List the run folders that paths, patterns and folders of runs name, each once."""
    found: dict[str, str] = {}
    for target in targets:
        for path in _expand(target):
            found.setdefault(path if "://" in path else os.path.realpath(path), path)
    return list(found.values())


def _expand(target: str) -> list[str]:
    """List the run folders that one target names; a path that is not there stays, to be named as failed."""
    if "://" in target:
        return [target]
    if not glob.has_magic(target) or os.path.exists(target):
        return _runs_in(target)
    matched = [path for path in sorted(glob.glob(target)) if os.path.isdir(path)]
    if not matched:
        raise NotFoundError(f"no folder matches {target!r}; name run folders, or a folder of them")
    return [path for match in matched for path in _runs_in(match)]


def _runs_in(path: str) -> list[str]:
    """List the subfolders of a folder of runs; anything else is taken for a run."""
    folder = Path(path)
    if not folder.is_dir() or (folder / "run.json").exists():
        return [path]
    inner = [entry for entry in sorted(folder.iterdir()) if entry.is_dir() and entry.name[0] not in "._"]
    return [str(entry) for entry in inner] if any((entry / "run.json").exists() for entry in inner) else [path]
