"""What earlier batches have finished of a run, so that only what is missing or stale is done."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lca_analysis.batches.outcome import ANALYZE, COMPUTE, REPORT, STAGES
from lca_analysis.batches.settings import RunSettings
from lca_analysis.disk import write_atomic
from lca_analysis.errors import MismatchError
from lca_analysis.report import folder_name
from lca_analysis.store import TABLES, Store
from lca_analysis.store.layout import segment
from lca_analysis.trajectory import Run

_FOLDER = "_batch"
_RESULTS = "results_"


@dataclass(frozen=True)
class Marks:
    """The marks of one run in a store: for each finished stage, what went into it and what came out.

    Attributes
    ----------
    store : Store
        The store.
    run : str
        Name of the run.
    out : Path
        Folder of the reports.
    """

    store: Store
    run: str
    out: Path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other batches from this run; the system lifts the lock when the process dies.

        Raises
        ------
        MismatchError
            Another batch is at this run.
        """
        self._file.parent.mkdir(exist_ok=True)
        lock = FileLock(self._file.with_suffix(".lock"), timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise MismatchError(f"another batch is at {self.run!r} in {self.store.path}; wait for it") from error
        try:
            yield
        finally:
            lock.release()

    def stale(self, keys: dict[str, str]) -> tuple[str, ...]:
        """List the stages to carry out: from the first whose inputs or files are not as they were when it ended."""
        kept = self._read()
        for number, stage in enumerate(STAGES):
            if kept.get(stage) != {"key": keys[stage], "files": self._files(stage)}:
                return STAGES[number:]
        return ()

    def begin(self, settings: str) -> None:
        """Keep the settings of the computation; when it was begun with others, delete what they gave."""
        kept = self._read()
        if kept.get("settings") != settings and "settings" in kept:
            self._write({"settings": ""})  # should this be interrupted, the rest is deleted next time
            self.store.remove(self.run)
            kept = {}
        self._write({**kept, "settings": settings})

    def finish(self, stage: str, key: str) -> None:
        """Keep that a stage has ended, and that those after it have not."""
        kept = {name: value for name, value in self._read().items() if name not in STAGES[STAGES.index(stage) :]}
        self._write({**kept, stage: {"key": key, "files": self._files(stage)}})

    @property
    def _file(self) -> Path:
        """Give the file of the marks."""
        return self.store.path / _FOLDER / f"{segment('run', self.run)}.json"

    def _read(self) -> dict[str, Any]:
        """Read the marks; none when there are none, or when they are damaged."""
        try:
            return dict(json.loads(self._file.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return {}

    def _write(self, marks: dict[str, Any]) -> None:
        """Keep the marks."""
        write_atomic(self._file, (json.dumps(marks, indent=1, sort_keys=True) + "\n").encode())

    def _files(self, stage: str) -> str:
        """Hash the names and sizes of the files that a stage writes, so that a missing one is noticed."""
        if stage == REPORT:
            return hash_files(self.out, (self.out / folder_name(self.run)).rglob("*"))
        tables = [name for name in TABLES if name.startswith(_RESULTS) == (stage == ANALYZE)]
        folders = [self.store.path / name / segment("run", self.run) for name in tables]
        return hash_files(self.store.path, (file for folder in folders for file in folder.rglob("*.parquet")))


def keys_of(run: Run, settings: RunSettings) -> tuple[str, dict[str, str]]:
    """Hash what the stages of a run depend on.

    Parameters
    ----------
    run : Run
        The run: its identity, and how far it is committed.
    settings : RunSettings
        Its settings.

    Returns
    -------
    settings : str
        Hash of what a computation can not go on with once it differs; a run that has grown can be gone on with.
    keys : dict of str
        Hash of the inputs of each stage.
    """
    program = {"package": version("lca-analysis")}
    begun = _hash({**program, "run": run.manifest.run_id, **settings.of_compute()})
    compute = _hash({"settings": begun, "points": run.iterations.tolist()})
    analyze = _hash({**program, "compute": compute, **settings.of_analyze()})
    return begun, {COMPUTE: compute, ANALYZE: analyze, REPORT: _hash({**program, "analyze": analyze})}


def _hash(content: object) -> str:
    """Hash JSON values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def hash_files(root: Path, files: Iterable[Path]) -> str:
    """Hash the names and sizes of files."""
    return _hash(sorted((str(file.relative_to(root)), file.stat().st_size) for file in files if file.is_file()))
