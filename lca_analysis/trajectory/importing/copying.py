"""Writing a run from points that somebody else has recorded."""

import math
import os
import uuid
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lca_analysis.progress import track
from lca_analysis.trajectory.importing.cautions import StepSizes, gaps, half_precision
from lca_analysis.trajectory.manifest import (
    ImportSource,
    Manifest,
    ProblemReference,
    RecordingPolicy,
    TensorInfo,
    write_manifest,
)
from lca_analysis.trajectory.run import Run, open_run
from lca_analysis.trajectory.writer import RunWriter


@dataclass(frozen=True)
class Foreign:
    """What an importer hands over: a description, and points that are read one by one.

    Attributes
    ----------
    source : ImportSource
        Where it comes from, with the cautions known so far.
    tensors : list of TensorInfo
        Parameters, then buffers.
    iterations : list of int
        Ascending.
    points : iterable of mapping of str to ndarray
        The tensors at each of the iterations, in their storage dtypes.
    """

    source: ImportSource
    tensors: list[TensorInfo]
    iterations: list[int]
    points: Iterable[Mapping[str, NDArray[Any]]]


@dataclass(frozen=True)
class ImportOptions:
    """How every importer writes its run: the run's problem and name, replacing an earlier run, a progress bar."""

    problem: str | ProblemReference | None = None
    name: str = ""
    overwrite: bool = False
    progress: bool | None = None


def copy_into_run(path: str | os.PathLike[str], foreign: Foreign, options: ImportOptions) -> Run:
    """Write a run, warn of what its points spoil, and open it.

    When reading fails or is interrupted, the run is readable up to there and marked as incomplete.
    """
    known = [*foreign.source.cautions, *half_precision(foreign.tensors), *gaps(foreign.iterations)]
    manifest = _manifest(foreign, known, options)
    writer = RunWriter.create(path, manifest, options.overwrite)
    sizes, complete = StepSizes(foreign.tensors), False
    try:
        with track(len(foreign.iterations), "import", "point", options.progress) as bar:
            for iteration, weights in zip(foreign.iterations, foreign.points, strict=True):
                writer.append(iteration, weights)
                sizes.add(weights)
                bar.update()
        complete = True
    finally:
        cautions = [*known, *sizes.cautions()]
        writer.manifest = msgspec.structs.replace(manifest, source=_with(foreign.source, cautions))
        write_manifest(Path(path), writer.manifest)
        writer.close(complete)
    for caution in cautions:
        warnings.warn(f"{foreign.source.name}: {caution}", UserWarning, stacklevel=3)
    return open_run(path)


def _manifest(foreign: Foreign, cautions: list[str], options: ImportOptions) -> Manifest:
    """Describe the run; where it comes from is a name, not a place on this machine."""
    problem = ProblemReference(options.problem) if isinstance(options.problem, str) else options.problem
    spacing = math.gcd(*np.diff(foreign.iterations).tolist())
    return Manifest(
        run_id=uuid.uuid4().hex,
        name=options.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tensors=foreign.tensors,
        problem=problem,
        versions={name: version(name) for name in ("lca-analysis", "numpy")},
        recording=RecordingPolicy(every=spacing or 1),
        source=_with(foreign.source, cautions),
    )


def _with(source: ImportSource, cautions: list[str]) -> ImportSource:
    return msgspec.structs.replace(source, cautions=cautions)
