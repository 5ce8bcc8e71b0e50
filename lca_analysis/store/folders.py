"""Listing the folders of a store."""

import re
from pathlib import Path

from lca_analysis.store.layout import segment_value


def subfolders(folder: Path) -> list[Path]:
    """List the folders in a folder; empty when it is not there."""
    return sorted(entry for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []


def partition_folders(key: str, folder: Path) -> list[tuple[str, Path]]:
    """List the partition folders of a key, in the order of their values."""
    found = [(segment_value(key, inner.name), inner) for inner in subfolders(folder)]
    return sorted((value, inner) for value, inner in found if value is not None)


def parquet_files(folder: Path) -> list[Path]:
    """List the parts in a folder in the order of the numbers in their names; empty when it is not there."""
    if not folder.is_dir():
        return []
    files = [entry for entry in folder.iterdir() if entry.suffix == ".parquet" and entry.name[0] not in "._"]
    return sorted(files, key=lambda file: ([int(number) for number in re.findall(r"\d+", file.stem)], file.name))
