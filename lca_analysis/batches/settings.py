"""How one run of a batch is computed and analyzed, checked before anything begins."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from lca_analysis.allocation import ComputeOptions
from lca_analysis.analysis import AnalysisOptions
from lca_analysis.errors import ArgumentError


@dataclass(frozen=True)
class RunSettings:
    """Settings of one run.

    Attributes
    ----------
    problem : str, optional
        What the run was trained on, as `compute` takes it; None takes what the run says.
    arguments : dict
        Arguments of `problem`.
    splits : tuple of str, optional
        Which splits; None takes all.
    check_data : bool
        Refuse data that are not those that the run was recorded with.
    seed, peak_tolerance, spans, shortest_span : int
        Settings of the analyses, see `AnalysisOptions`.
    options : ComputeOptions
        What the tables depend on.
    """

    problem: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    splits: tuple[str, ...] | None = None
    check_data: bool = True
    seed: int = 0
    peak_tolerance: int = 0
    spans: int = 10
    shortest_span: int = 50
    options: ComputeOptions = field(default_factory=ComputeOptions)

    def __post_init__(self) -> None:
        """Check what does not depend on the run."""
        if self.arguments and self.problem is None:
            raise ArgumentError("arguments go with a problem; name it too")
        AnalysisOptions(**self.of_analyze())  # checks them

    def of_analyze(self) -> dict[str, int]:
        """Give all that the results of the analyses depend on."""
        return {name: getattr(self, name) for name in AnalysisOptions.__dataclass_fields__}

    def of_compute(self) -> dict[str, Any]:
        """Give all that the tables of a computation depend on, as JSON values."""
        own = {name: value for name, value in asdict(self).items() if name not in (*self.of_analyze(), "options")}
        return {**own, **asdict(self.options)}


_OPTIONS = tuple(ComputeOptions.__dataclass_fields__)
_OWN = tuple(name for name in RunSettings.__dataclass_fields__ if name != "options")


def settings_from(values: Mapping[str, Any], where: str) -> RunSettings:
    """Check settings given by name.

    Parameters
    ----------
    values : mapping of str
        The fields of `RunSettings` and of `ComputeOptions`; those left out have their defaults.
    where : str
        Where they come from, for messages.

    Returns
    -------
    RunSettings
        The settings.

    Raises
    ------
    ArgumentError
        A name is unknown, or a value cannot be used.
    """
    unknown = [name for name in values if name not in (*_OWN, *_OPTIONS)]
    if unknown:
        raise ArgumentError(f"{where}: there is no setting {unknown[0]!r}; there are: {', '.join((*_OWN, *_OPTIONS))}")
    own = {name: value for name, value in values.items() if name in _OWN}
    options = {name: value for name, value in values.items() if name in _OPTIONS}
    try:
        return msgspec.convert({**own, "options": options}, RunSettings)
    except msgspec.ValidationError as error:
        raise ArgumentError(f"{where}: {_in_words(error)}") from error


def _in_words(error: msgspec.ValidationError) -> str:
    """Say which setting is meant where msgspec gives its place as a path such as `$.options.tolerance`."""
    reason, _, place = str(error).partition(" - at `$.")
    setting = place.rstrip("`").rpartition(".")[2]
    return f"{setting}: {reason}" if setting not in ("", "options") else reason
