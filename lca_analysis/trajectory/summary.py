"""What is in a run, in numbers."""

from typing import Any

import numpy as np

from lca_analysis.trajectory.cautions import cautions
from lca_analysis.trajectory.run import Run


def describe(run: Run) -> dict[str, Any]:
    """Summarise a run without decoding it.

    Parameters
    ----------
    run : Run
        An open run.

    Returns
    -------
    dict
        JSON-able facts: how far it got, how large and how compact it is, what made it.
        ``bits_per_parameter_per_point`` counts every byte of the segments over parameters × points;
        ``raw_float32_over_folder`` is the size of all recorded numbers as float32 over that of all files.
    """
    manifest = run.manifest
    parameters = sum(tensor.size for tensor in run.parameters)
    points, stored = len(run.iterations), sum(segment.bytes for segment in run.segments)
    values, folder = parameters * points, run.folder_bytes()
    keyframes = sum(segment.frames[0].length for segment in run.segments)
    return {
        "run": run.name,
        "path": run.path,
        "run_id": manifest.run_id,
        "created": manifest.created,
        "complete": run.complete,
        "iterations": max(0, points - 1),
        "first_iteration": int(run.iterations[0]) if points else None,
        "last_iteration": int(run.iterations[-1]) if points else None,
        "recorded_every": manifest.recording.every,
        "recorded_windows": [list(window) for window in manifest.recording.windows],
        "gaps": _gaps(run),
        "longest_step": int(np.diff(run.iterations).max()) if points > 1 else None,
        "tensors": len(run.parameters),
        "buffers": len(run.tensors) - len(run.parameters),
        "parameters": parameters,
        "lossless": manifest.recording.lossless,
        "error_fraction": manifest.recording.error_fraction,
        "preset": manifest.recording.preset,
        "segments": len(run.segments),
        "resumed_behind": _resumed(run),
        "bytes": stored,
        "folder_bytes": folder,
        "keyframe_bytes": keyframes,
        "keyframe_share": keyframes / stored if stored else None,
        "bits_per_parameter_per_point": 8 * stored / values if values else None,
        "raw_float32_over_folder": 4 * points * sum(tensor.size for tensor in run.tensors) / folder,
        "uncommitted_bytes": sum(segment.torn for segment in run.segments),
        "optimizer": manifest.optimizer.name,
        "hyperparameters": manifest.optimizer.groups,
        "problem": manifest.problem.target if manifest.problem else None,
        "problem_arguments": manifest.problem.arguments if manifest.problem else {},
        "splits": sorted(manifest.problem.fingerprints) if manifest.problem else [],
        "seeds": manifest.seeds,
        "tags": manifest.tags,
        "source": f"{manifest.source.name} ({manifest.source.format})" if manifest.source else None,
        "cautions": cautions(run),
        "versions": manifest.versions,
    }


def _gaps(run: Run) -> list[list[int]]:
    """Pairs of neighbouring points that are further apart than the recording's own spacing."""
    wide = np.flatnonzero(np.diff(run.iterations) > run.manifest.recording.every)
    return [run.iterations[place : place + 2].tolist() for place in wide]


def _resumed(run: Run) -> list[int]:
    """Points behind which recording was resumed: their segments are not full, and others follow.

    Where a run was resumed just behind a full segment, it is as if it had not been.
    """
    full = run.manifest.recording.segment_length
    return [int(segment.iterations[-1]) for segment in run.segments[:-1] if len(segment.iterations) < full]
