"""The run on disk: manifest, delta codec, segments, and reading at any iteration."""

from lca_analysis.trajectory.cautions import cautions
from lca_analysis.trajectory.decoding import Point
from lca_analysis.trajectory.importing import import_hdf5
from lca_analysis.trajectory.manifest import (
    FORMAT_VERSION,
    ImportSource,
    Manifest,
    OptimizerInfo,
    ProblemReference,
    RecordingPolicy,
    TensorInfo,
)
from lca_analysis.trajectory.presets import PRESETS
from lca_analysis.trajectory.run import Run, Step, open_run
from lca_analysis.trajectory.summary import describe
from lca_analysis.trajectory.verification import VerificationReport, verify
from lca_analysis.trajectory.words import bfloat16_to_float32, float32_to_bfloat16, to_numbers
from lca_analysis.trajectory.writer import PointWords, RunWriter

__all__ = [
    "FORMAT_VERSION",
    "PRESETS",
    "ImportSource",
    "Manifest",
    "OptimizerInfo",
    "Point",
    "PointWords",
    "ProblemReference",
    "RecordingPolicy",
    "Run",
    "RunWriter",
    "Step",
    "TensorInfo",
    "VerificationReport",
    "bfloat16_to_float32",
    "cautions",
    "describe",
    "float32_to_bfloat16",
    "import_hdf5",
    "open_run",
    "to_numbers",
    "verify",
]
