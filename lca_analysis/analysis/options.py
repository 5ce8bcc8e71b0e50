"""How to analyse: the settings that the results of a run depend on."""

from dataclasses import dataclass

from lca_analysis.analysis.inference import MIN_ITERATIONS
from lca_analysis.errors import ArgumentError


@dataclass(frozen=True)
class AnalysisOptions:
    """Settings of the analyses.

    Attributes
    ----------
    seed : int
        Seed of bootstraps, shifts and subsamples. The same tables and seed give the same results, to the byte.
    peak_tolerance : int
        Moments of learning of two layers count as shared when they lie at most so many recorded steps apart.
    spans : int
        Most equal spans that a run is divided into, in which layers are tested for hurting.
    shortest_span : int
        Fewest recorded steps of a span.
    """

    seed: int = 0
    peak_tolerance: int = 0
    spans: int = 10
    shortest_span: int = 50

    def __post_init__(self) -> None:
        """Check every value."""
        least = {"seed": 0, "peak_tolerance": 0, "spans": 2, "shortest_span": MIN_ITERATIONS}
        for name, value in least.items():
            given = getattr(self, name)
            if type(given) is not int or given < value:
                raise ArgumentError(f"{name} must be a whole number from {value} on, not {given!r}")
