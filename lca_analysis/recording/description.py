"""What a recording says of itself: its options, and the manifest of its run."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Protocol

import torch
from torch import nn

from lca_analysis.errors import ArgumentError
from lca_analysis.recording.hyperparameters import describe_optimizer
from lca_analysis.recording.policy import whole
from lca_analysis.recording.tensors import describe_tensors
from lca_analysis.trajectory import Manifest, ProblemReference, RecordingPolicy

QUEUE_BYTES, MOST_POINTS = 2**24, 32  # of points that wait for the encoder, where the user does not say how many


class HasReference(Protocol):
    """A built problem: it knows the function that built it, and the fingerprints of its data."""

    @property
    def reference(self) -> ProblemReference | None:
        """How to build it again."""


@dataclass(frozen=True)
class RecorderOptions:
    """What is rarely set.

    Attributes
    ----------
    name : str
        Name of the run in tables and reports; by default that of its folder.
    seeds : dict of str to int
        Seeds to keep with the run; by default torch's initial seed.
    tags : dict of str to str
        Labels of your own; other values are kept as text.
    on_error : str
        "warn": when the disk fails, recording stops with a warning and training goes on; "raise": it raises.
    queue_points : int, optional
        Most points that wait for the encoder; these and the one that it encodes are copies of the model in memory. By
        default as many as fit into 16 MiB, but 2 at least and 32 at most: a small model's are encoded many at a time,
        which disturbs the training less.
    segment_length : int
        Points from one keyframe to the next.
    follows_gradient : bool
        False for a training whose updates are no gradient of a loss, such as direct feedback alignment: its LCA needs
        only the path and is as valid as any, but the parts of its updates then count as not available.
    """

    name: str = ""
    seeds: dict[str, int] | None = None
    tags: dict[str, str] = field(default_factory=dict)
    on_error: str = "warn"
    queue_points: int | None = None
    segment_length: int = 256
    follows_gradient: bool = True

    def check(self) -> None:
        """Raise ArgumentError for options that cannot be used."""
        if self.on_error not in ("warn", "raise"):
            raise ArgumentError(f'on_error must be "warn" or "raise", not {self.on_error!r}')
        for name in ("queue_points", "segment_length"):
            if (number := getattr(self, name)) is not None and whole(name, number) < 1:
                raise ArgumentError(f"{name} must be 1 or more")

    def points_in_memory(self, point_bytes: int) -> int:
        """Copies of the model that a recording keeps: those that wait for the encoder, and the one that it encodes."""
        most = max(2, min(MOST_POINTS, QUEUE_BYTES // max(1, point_bytes)))
        return 1 + (self.queue_points or most)


def make_manifest(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    problem: ProblemReference | None,
    policy: RecordingPolicy,
    options: RecorderOptions,
) -> Manifest:
    """Describe a new run."""
    given = {"torch": torch.initial_seed()} if options.seeds is None else options.seeds
    return Manifest(
        run_id=uuid.uuid4().hex,
        name=str(options.name),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tensors=describe_tensors(model),
        optimizer=describe_optimizer(optimizer, model, options.follows_gradient),
        problem=problem,
        seeds={str(name): whole(f"seed {name!r}", seed) for name, seed in given.items()},
        versions={name: version(name) for name in ("lca-analysis", "torch", "numpy")},
        recording=policy,
        tags={str(name): str(value) for name, value in options.tags.items()},
    )


def problem_reference(problem: str | ProblemReference | HasReference | None) -> ProblemReference | None:
    """Give the reference of a problem in any of its forms."""
    if isinstance(problem, str):
        return ProblemReference(problem)
    if problem is None or isinstance(problem, ProblemReference):
        return problem
    if not hasattr(problem, "reference"):
        raise ArgumentError(
            f"problem must be a name such as train.py:problem, or a built Problem, not {type(problem).__name__}"
        )
    return problem.reference
