"""The file store.json, which makes a folder a store."""

import json
from pathlib import Path
from typing import Any

from lca_analysis.disk import write_atomic
from lca_analysis.errors import CorruptError, FormatError, NotFoundError

FORMAT_VERSION = 1
"""Version of the store's layout that this package writes, and the newest that it reads."""

_FORMAT = "lca-store"
_NAME = "store.json"


def create_marker(folder: Path) -> None:
    """Make the folder a store; it must be missing or empty."""
    if folder.is_dir() and any(name[0] not in "._" for name in _names(folder)):
        raise FormatError(f"{folder} holds other files and is not a store; name a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    marker = {"format": _FORMAT, "format_version": FORMAT_VERSION}
    write_atomic(folder / _NAME, (json.dumps(marker, indent=1) + "\n").encode())


def has_marker(folder: Path) -> bool:
    """Whether the folder has a store.json."""
    return (folder / _NAME).is_file()


def check_marker(folder: Path) -> None:
    """Raise unless the folder is a store of a version that this package reads."""
    if not has_marker(folder):
        raise _no_marker(folder)
    marker = _read(folder / _NAME)
    if marker.get("format") != _FORMAT:
        raise FormatError(
            f"{folder / _NAME} is not of a store: its format is {marker.get('format')!r}, not {_FORMAT!r}"
        )
    version = marker.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise CorruptError(
            f"{folder / _NAME} has no usable format_version ({version!r}); restore the file or compute again"
        )
    if version > FORMAT_VERSION:
        raise FormatError(
            f"{folder} is a store of format version {version}; this package reads versions up to "
            f"{FORMAT_VERSION}: upgrade lca-analysis"
        )


def _names(folder: Path) -> list[str]:
    """List the names in a folder."""
    return sorted(entry.name for entry in folder.iterdir())


def _read(file: Path) -> dict[str, Any]:
    """Read the marker as JSON."""
    try:
        marker = json.loads(file.read_bytes())
    except ValueError as error:
        raise CorruptError(f"{file} is damaged ({error}); restore it or compute the store again") from error
    if not isinstance(marker, dict):
        raise FormatError(f"{file} is not of a store: it holds no JSON object")
    return marker


def _no_marker(folder: Path) -> NotFoundError | FormatError:
    """Say why a folder without store.json is no store."""
    if not folder.exists():
        return NotFoundError(f"there is no store at {folder}; compute one with: lca compute RUN --store {folder}")
    if not folder.is_dir():
        return FormatError(f"{folder} is a file, not the folder of a store")
    if not _names(folder):
        return NotFoundError(
            f"{folder} is empty and not a store yet; compute one with: lca compute RUN --store {folder}"
        )
    return FormatError(f"{folder} is not a store: it has no {_NAME}; name the folder that `lca compute` wrote")
