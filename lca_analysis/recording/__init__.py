"""Observing a training loop and writing a run."""

from lca_analysis.recording.recorder import Recorder, RecorderOptions

__all__ = ["Recorder", "RecorderOptions"]
