"""Turning the checkpoints of others into a run."""

from lca_analysis.trajectory.importing.checkpoints import CheckpointFile, list_checkpoints, suggest_pattern
from lca_analysis.trajectory.importing.copying import Foreign, ImportOptions, copy_into_run
from lca_analysis.trajectory.importing.description import Described, describe_by_names
from lca_analysis.trajectory.importing.hdf5 import import_hdf5
from lca_analysis.trajectory.importing.safetensors_file import read_safetensors

__all__ = [
    "CheckpointFile",
    "Described",
    "Foreign",
    "ImportOptions",
    "copy_into_run",
    "describe_by_names",
    "import_hdf5",
    "list_checkpoints",
    "read_safetensors",
    "suggest_pattern",
]
