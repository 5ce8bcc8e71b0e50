"""What the codec has to reach."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from codec_rivals import DifferencePcodec, DifferenceZstd, WeightsFile
from codec_trajectories import Trajectory

LATE, LATE_BITS, LATE_TIMES, TIMES = "mnist_fc late", 7.8, 3.7, 2.0
SPEEDS = {"small": (70.0, 180.0), "fast": (150.0, 450.0)}  # MB/s of raw float32, encoding and decoding


@dataclass(frozen=True)
class Verdict:
    """A figure beside its limit; `at_most` says on which side of it is good."""

    what: str
    figure: float
    limit: float
    at_most: bool

    @property
    def passed(self) -> bool:
        """Whether the target is met."""
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit

    def __str__(self) -> str:
        """Give a line of a report."""
        bound = "at most" if self.at_most else "at least"
        return f"{'PASS' if self.passed else 'FAIL'}  {self.what}: {self.figure:.4g} ({bound} {self.limit:.4g})"


def judge(trajectories: list[Trajectory], found: Mapping[str, Mapping[str, Any]]) -> list[Verdict]:
    """Compare the scores of every trajectory with the targets."""
    return [verdict for one in trajectories for verdict in _of_trajectory(one, found[one.name])]


def _of_trajectory(trajectory: Trajectory, scores: Mapping[str, Any]) -> Iterator[Verdict]:
    """Judge sizes, then speeds."""
    name, small = trajectory.name, scores["small"].bits
    zstd, rivals = scores[DifferenceZstd.name].bits, (DifferenceZstd, DifferencePcodec, WeightsFile)
    yield Verdict(f"{name}: small, share of zstd's size", small / zstd, 1 - trajectory.margin, True)
    largest = max(small, scores["fast"].bits)
    least = min(scores[rival.name].bits for rival in rivals)
    yield Verdict(f"{name}: larger preset, share of the smallest rival's size", largest / least, 1.0, True)
    times = LATE_TIMES if name == LATE else TIMES
    yield Verdict(f"{name}: small, times smaller than Lan et al.", scores[WeightsFile.name].bits / small, times, False)
    if name == LATE:
        yield Verdict(f"{name}: small, bits per parameter", small, LATE_BITS, True)
    for preset, limits in SPEEDS.items():
        for way, limit in zip(("encode", "decode"), limits, strict=True):
            yield Verdict(f"{name}: {preset}, MB/s to {way}", getattr(scores[preset], way), limit, False)
