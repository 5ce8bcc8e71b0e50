"""import_hdf5: a run from the weights file of Lan et al. (2019)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lca_analysis.errors import ArgumentError
from lca_analysis.trajectory.importing.copying import Foreign, ImportOptions, copy_into_run
from lca_analysis.trajectory.importing.description import Described, describe_by_names
from lca_analysis.trajectory.importing.hdf5_file import WeightsFile
from lca_analysis.trajectory.importing.tensorflow import FlattenShape, Variable, make_variables
from lca_analysis.trajectory.manifest import ImportSource, ProblemReference
from lca_analysis.trajectory.run import Run


class _TooWide(Exception):
    """A value is not a float32."""


def import_hdf5(
    source: str | os.PathLike[str],
    run: str | os.PathLike[str],
    *,
    every: int = 1,
    flatten_shape: FlattenShape | None = None,
    problem: str | ProblemReference | None = None,
    name: str = "",
    overwrite: bool = False,
    progress: bool | None = None,
) -> Run:
    """Make a run of the weights file that the code of Lan et al. (2019, arXiv 1909.01440) writes.

    The file is HDF5 with a dataset ``all_weights`` [T + 1, K], a row per recorded point, and attributes ``var_names``
    and ``var_shapes``, separated by semicolons. Names become PyTorch's (``fc1/kernel:0`` is ``fc1.weight``) and
    kernels, which are stored input-first, PyTorch's layout. Float64 values that are all float32 numbers are kept as
    float32, otherwise as float64; `Run.tensors` says which. Rows of zeros at the end were never written, and are left
    out. The file is read in blocks of rows, so it may be larger than the memory. Needs h5py
    (``pip install 'lca-analysis[hdf5]'``).

    Parameters
    ----------
    source : str or path-like
        The file.
    run : str or path-like
        Folder for the run; new, or empty.
    every : int
        Training iterations between rows.
    flatten_shape : tuple of 3 int, optional
        Height, width and channels of the feature map before the first dense layer after a convolution: its inputs
        are put in the order in which PyTorch flattens.
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
        Rows are more than one iteration apart or seem far apart, or were never written.

    Raises
    ------
    NotFoundError
        There is no such file.
    FormatError, CorruptError
        It is not such a file, or damaged.
    MismatchError
        `flatten_shape` does not fit.
    ArgumentError
        `every` is not positive, or the run's folder is in use.
    MissingDependencyError
        h5py is not installed.
    """
    if every < 1:
        raise ArgumentError(f"every must be 1 or more, not {every}")
    options = ImportOptions(problem, name, overwrite, progress)
    with WeightsFile(Path(source)) as file:
        variables, cautions = make_variables(file.names, file.shapes, flatten_shape)
        if file.unwritten:
            cautions.append(f"the last {file.unwritten} rows are zeros: training ended before they were written")
        origin = ImportSource("hdf5", Path(source).name, cautions)
        try:
            return _copy(file, variables, origin, every, _dtype(file), run, options)
        except _TooWide:
            again = ImportOptions(problem, name, True, progress)  # what was written just now is not wanted
            return _copy(file, variables, origin, every, "float64", run, again)


def _dtype(file: WeightsFile) -> str:
    """Judge the dtype by the first row; a later row may turn out to need float64."""
    row = next(file.points())
    if row.dtype.itemsize == 8 and _is_float32(row):
        return "float32"
    return f"float{8 * row.dtype.itemsize}"


def _copy(
    file: WeightsFile,
    variables: list[Variable],
    source: ImportSource,
    every: int,
    dtype: str,
    run: str | os.PathLike[str],
    options: ImportOptions,
) -> Run:
    """Write the run with values of one dtype."""
    found = [Described(variable.name, variable.torch_shape, dtype) for variable in variables]
    iterations = [every * row for row in range(file.rows)]
    points = _points(file, variables, np.dtype(dtype))
    return copy_into_run(run, Foreign(source, describe_by_names(found), iterations, points), options)


def _points(file: WeightsFile, variables: list[Variable], dtype: np.dtype[Any]) -> Iterator[dict[str, NDArray[Any]]]:
    """Cut rows into tensors; _TooWide for a value that `dtype` does not hold."""
    ends = np.cumsum([variable.size for variable in variables])
    for row in file.points():
        if dtype.itemsize < row.dtype.itemsize and not _is_float32(row):
            raise _TooWide
        parts = np.split(row.astype(dtype), ends[:-1])
        yield {v.name: v.to_torch(part) for v, part in zip(variables, parts, strict=True)}


def _is_float32(row: NDArray[np.float64]) -> bool:
    """Whether float32 holds every value to the bit."""
    with np.errstate(over="ignore", invalid="ignore"):
        back = row.astype(np.float32).astype(np.float64)
    return bool(np.array_equal(back.view(np.uint64), row.astype(np.float64).view(np.uint64)))
