"""What the store already has of a computation: whether it may go on, has grown, or is another one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lca_analysis.allocation.ranges import RangeJob
from lca_analysis.disk import write_atomic
from lca_analysis.errors import CorruptError, MismatchError
from lca_analysis.store import Store
from lca_analysis.trajectory import Run

_SETTINGS = "settings.json"
WHOLE = ("computations", "parameters", "histogram")  # tables over all iterations
_BY_RANGE = (
    "iterations",
    "layers",
    "units",
    "series",
    "directions",
    "elements",
)  # the mark that a range is done goes first


def check_run(store: Store, run: Run) -> None:
    """Raise MismatchError when the store has another run of the same name."""
    if is_other_run(store, run):
        raise MismatchError(
            f"{store.path} already has another run named {run.name!r}; use another store, rename the run's folder, or "
            "overwrite it"
        )


def is_other_run(store: Store, run: Run) -> bool:
    """Whether the store has another run of the same name."""
    if not store.has_part("runs", run.name):
        return False
    return bool(store.table("runs", run=run.name)["run_id"].iloc[0] != run.manifest.run_id)


@contextmanager
def only_computation(store: Store, name: str) -> Iterator[None]:
    """Keep other computations of a run out of the store; the system lifts the lock when the process dies.

    Raises
    ------
    MismatchError
        Another computation of this run is under way.
    """
    work = store.work(name)
    lock = FileLock(work.with_name(f"{work.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise MismatchError(
            f"another computation of {name!r} into {store.path} is under way; wait for it, then compute again"
        ) from error
    try:
        yield
    finally:
        lock.release()


def claim(store: Store, jobs: list[RangeJob], settings: dict[str, Any]) -> None:
    """Keep the settings of a computation beside it, or check that it was begun with the same.

    Versions of the software may differ: they are kept as of the beginning. A run that has grown since is gone on with:
    what depends on its end is deleted.

    Parameters
    ----------
    store : Store
        The store.
    jobs : list of RangeJob
        All ranges of one split.
    settings : dict
        What the tables depend on.

    Raises
    ------
    MismatchError
        The store has this run and split computed with other settings, or in unknown ones.
    CorruptError
        The kept settings are damaged.
    """
    name, split = jobs[0].name, jobs[0].split
    path = store.work(name, split) / _SETTINGS
    _drop_unfinished_files(store, path.parent)
    begun = _begun(store, path, name, split)
    if begun is not None:
        _check_same(store, f"{name}/{split}", begun, settings)
    if begun is None or begun["iterations"] != settings["iterations"]:
        _drop_ends(store, jobs)
        kept = {key: value for key, value in (begun or {}).items() if key.endswith("_version")}
        write_atomic(path, (json.dumps({**settings, **kept}, indent=2, sort_keys=True) + "\n").encode())


def _begun(store: Store, path: Path, name: str, split: str) -> dict[str, Any] | None:
    """Read the settings of a computation; None when there is none yet."""
    if not path.is_file():
        if store.parts("iterations", name, split):
            raise MismatchError(
                f"{store.path} holds {name}/{split} without the settings it was computed with; compute it again with "
                "overwrite"
            )
        return None
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise CorruptError(f"{path} is damaged: {error}; compute {name}/{split} again with overwrite") from error


def _check_same(store: Store, where: str, begun: dict[str, Any], settings: dict[str, Any]) -> None:
    """Raise MismatchError when a computation was begun with other settings."""
    for key, value in settings.items():
        is_growth = key == "iterations" and begun.get(key, 0) < value
        if begun.get(key) != value and not is_growth and not key.endswith("_version"):
            raise MismatchError(
                f"{store.path} has {where} computed with {key} = {begun.get(key)}, not {value}; use another store, or "
                "overwrite it"
            )


def _drop_ends(store: Store, jobs: list[RangeJob]) -> None:
    """Delete the tables over all iterations, and ranges that are cut otherwise now."""
    name, split = jobs[0].name, jobs[0].split
    parts = {job.part for job in jobs}
    store.remove(name, split, WHOLE)
    for table in _BY_RANGE:
        for values, file in store.files(table):
            if values == {"run": name, "split": split} and file.stem not in parts:
                file.unlink()
    waiting = {job.accumulators_path(store) for job in jobs}
    for file in store.work(name, split).glob("accumulators-*.sums"):
        if file not in waiting:
            file.unlink()


def _drop_unfinished_files(store: Store, work: Path) -> None:
    """Delete what a killed process was writing."""
    place = work.relative_to(work.parents[1])
    for folder in (work, *(store.path / table / place for table in (*WHOLE, *_BY_RANGE))):
        for file in folder.glob("_*.tmp"):
            file.unlink()
