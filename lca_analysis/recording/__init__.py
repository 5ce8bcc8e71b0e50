"""Observing a training loop, or reading checkpoints, and writing a run."""

from lca_analysis.recording.checkpoints import import_checkpoints
from lca_analysis.recording.description import RecorderOptions
from lca_analysis.recording.recorder import Recorder
from lca_analysis.recording.resuming import holds_run

__all__ = ["Recorder", "RecorderOptions", "holds_run", "import_checkpoints"]
