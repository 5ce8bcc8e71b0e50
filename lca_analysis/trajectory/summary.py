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
        ``bits_per_parameter_per_point`` counts every byte of the segments over parameters × points.
    """
    manifest = run.manifest
    parameters = sum(tensor.size for tensor in run.parameters)
    points, stored = len(run.iterations), sum(segment.bytes for segment in run.segments)
    values = parameters * points
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
        "longest_step": int(np.diff(run.iterations).max()) if points > 1 else None,
        "tensors": len(run.parameters),
        "buffers": len(run.tensors) - len(run.parameters),
        "parameters": parameters,
        "lossless": manifest.recording.lossless,
        "error_fraction": manifest.recording.error_fraction,
        "preset": manifest.recording.preset,
        "segments": len(run.segments),
        "bytes": stored,
        "bits_per_parameter_per_point": 8 * stored / values if values else None,
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
