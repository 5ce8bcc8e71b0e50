"""Coherence, phase and group delay of layers: rows of ``results_oscillation``."""

from dataclasses import replace

from lca_analysis.analysis.coherence import (
    COHERENCE_METHOD,
    PHASE_METHOD,
    CoherenceTest,
    at_largest,
)
from lca_analysis.analysis.group_delay import group_delay
from lca_analysis.analysis.rows import Row, from_interval
from lca_analysis.analysis.segments import Segments
from lca_analysis.analysis.table_lags import MOVES_NOT

SEGMENTS = "segments"

_DELAY = "coherence-weighted slope of phase over frequency; jackknife over segments"
_NULL = "steps and gradients are independent"


def coherence_rows(
    layer: str, segments: Segments | None, test: CoherenceTest | None, spacing: int, reason: str | None = None
) -> list[Row]:
    """Test whether a layer's steps go with its gradient at any frequency; say how closely, and how far behind.

    Null, alternative, unit and limits: those of `coherence_test`. ``coherence`` and ``phase`` are of the frequency at
    which the segments agree most; their intervals allow for that choice (Bonferroni over frequencies).

    Parameters
    ----------
    layer : str
        The layer.
    segments : Segments or None
        Its segments; None where there are none.
    test : CoherenceTest or None
        Their test.
    spacing : int
        Training iterations between recorded points.
    reason : str, optional
        Why there are no segments; None: nothing moves.

    Returns
    -------
    list of Row
        Quantities ``coherence``, ``phase`` (rad) and ``group_delay`` (training iterations).
    """
    n = 0 if segments is None else len(segments.cross)
    base = Row("coherence", COHERENCE_METHOD, n, SEGMENTS, layer=layer)
    phase, delay = (
        replace(base, quantity="phase", method=PHASE_METHOD),
        replace(base, quantity="group_delay", method=_DELAY),
    )
    if segments is None or test is None:
        return [replace(row, reason=reason or MOVES_NOT) for row in (base, phase, delay)]
    late = from_interval(delay, group_delay(segments), spacing)
    if test.reason is not None:
        return [replace(row, reason=test.reason) for row in (base, phase)] + [late]
    place, size, angle = at_largest(segments, test)
    at = f"period of {spacing / segments.frequency[place]:.3g} iterations"
    tested = replace(from_interval(base, size), subject=at, null=_NULL, alternative="greater")
    p, statistic = float(test.p[place]), float(test.statistic[place])
    return [replace(tested, p=p, statistic=statistic), replace(from_interval(phase, angle), subject=at), late]
