"""Observing a training loop and writing a run."""

from lca_analysis.recording.description import RecorderOptions
from lca_analysis.recording.recorder import Recorder

__all__ = ["Recorder", "RecorderOptions"]
