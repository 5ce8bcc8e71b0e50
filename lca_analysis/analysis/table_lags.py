"""The lags of layers behind their gradients: rows of ``results_oscillation``, and ``results_lag_curve``."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lca_analysis.analysis.bootstrap import BootstrapMean
from lca_analysis.analysis.lags import (
    BY_BLOCKS,
    LAG_METHOD,
    MIN_LENGTH,
    LagCurve,
    delay_difference,
    lag_curve,
    lag_difference,
    lag_of_maximum,
    mean_delay,
    resample_counts,
)
from lca_analysis.analysis.multiplicity import HOLM
from lca_analysis.analysis.panel import Panel
from lca_analysis.analysis.rows import Row, adjusted, from_bootstrap, from_interval, generator
from lca_analysis.analysis.threads import in_threads

Reals = NDArray[np.float64]

MOVES_NOT = "no sampled parameter has both steps and gradients that vary"
_ONE_LAYER = "there is no other layer to compare with"
_DELAY = f"centre of the cross-correlation; {BY_BLOCKS}"
_DIFFERENCE = f"cross-correlation of −path gradient and step, top of a parabola; {BY_BLOCKS}"
_QUANTITIES = {
    "lag": LAG_METHOD,
    "mean_delay": _DELAY,
    "mean_delay_minus_momentum": _DELAY,
    "lag_minus_rest": _DIFFERENCE,
    "mean_delay_minus_rest": _DELAY,
}
_MEANS = ("correlation", "products")
_NULLS = {
    "mean_delay_minus_momentum": "mean delay = m / (1 − m)",
    "lag_minus_rest": "the layer lags as the rest does",
    "mean_delay_minus_rest": "the layer is delayed as the rest is",
}


def layer_curves(panel: Panel, layers: tuple[str, ...]) -> dict[str, LagCurve | None]:
    """Cross-correlate every layer; None where nothing moves, or the run is too short."""
    if len(panel.step) < MIN_LENGTH:
        return dict.fromkeys(layers)
    curves = in_threads(lambda layer: lag_curve(*panel.of_layer(layer)), layers)
    return dict(zip(layers, curves, strict=True))


def lag_rows(curves: dict[str, LagCurve | None], panel: Panel, momentum: float | None, seed: int) -> list[Row]:
    """Measure every layer's lag behind its negative gradient, against the momentum's and against the other layers'.

    A lag has a block-bootstrap interval; mean delays and differences have one by Student's t over `BLOCKS` blocks of
    iterations, and are tested by it: null: no difference; two-sided. Unit of replication: blocks
    of iterations of this one run, since the parameters of a layer depend on each other. Holm over layers, for each
    quantity. Not valid below `MIN_LENGTH` steps (refused); comparisons and mean delays not below `MIN_COMPARED`, nor
    mean delays of which less than `DELAYS_IN_RUN` fit into the run (no interval and no test); nor where lags change
    over the run. ``lag`` is the lag of the largest cross-correlation, to fractions of a step. Tests over runs are in
    ``results_seeds``.
    ``mean_delay`` is the curve's centre, which is m / (1 − m) where Δ is −ḡ passed through momentum m alone.

    Parameters
    ----------
    curves : dict of str to LagCurve or None
        From `layer_curves`.
    panel : Panel
        The series.
    momentum : float, optional
        Momentum m of the run.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    list of Row
        In training iterations.
    """
    counts = resample_counts(max(len(panel.step), 1), generator(seed, "lag"))
    drawn = {layer: counts @ curve.products / len(counts[0]) for layer, curve in curves.items() if curve is not None}
    known = [curve for curve in curves.values() if curve is not None]
    total = {name: sum(getattr(curve, name) for curve in known) for name in _MEANS} | {"drawn": sum(drawn.values())}
    rows = [_momentum_row(momentum, len(panel.step))]
    for layer, curve in curves.items():
        if curve is None:
            rows += _missing(layer, len(panel.step))
            continue
        found = _intervals(curve, drawn[layer], momentum, panel.spacing)
        found |= _against_rest(curve, drawn[layer], total, len(known) - 1)
        rows += [_row(layer, name, interval, panel.spacing) for name, interval in found.items()]
    tested = [row for name in _NULLS for row in adjusted([row for row in rows if row.quantity == name], HOLM)]
    return [*(row for row in rows if row.quantity not in _NULLS), *tested]


def _row(layer: str, quantity: str, found: BootstrapMean, spacing: int) -> Row:
    """Make the row of one estimate; differences are tested too."""
    base = Row(quantity, _QUANTITIES[quantity], 0, layer=layer)
    if quantity not in _NULLS:
        return from_interval(base, found, spacing)
    return from_bootstrap(replace(base, null=_NULLS[quantity], alternative="two-sided"), found, spacing)


def missing_lags(layer: str, reason: str) -> list[Row]:
    """Say for every quantity of lag why there is none."""
    return [Row(name, method, 0, layer=layer, reason=reason) for name, method in _QUANTITIES.items()]


def _missing(layer: str, length: int) -> list[Row]:
    """Say why a layer has no curve."""
    short = f"at least {MIN_LENGTH} evenly spaced finite steps are needed; there are {length}"
    return [replace(row, n=length) for row in missing_lags(layer, short if length < MIN_LENGTH else MOVES_NOT)]


def _momentum_row(momentum: float | None, n: int) -> Row:
    """Give the delay that the momentum alone makes."""
    row = Row("momentum_delay", "m / (1 − m), from the recorded momentum m", n)
    if momentum is None or not 0 <= momentum < 1:
        return replace(row, reason="the run has no momentum between 0 and 1")
    return replace(row, estimate=momentum / (1 - momentum))


def _intervals(curve: LagCurve, drawn: Reals, momentum: float | None, spacing: int) -> dict[str, BootstrapMean]:
    """Measure lag, mean delay, and what of it the momentum does not explain."""
    delay = mean_delay(curve, drawn)
    if momentum is None or not 0 <= momentum < 1:
        excess = BootstrapMean(np.nan, np.nan, np.nan, delay.n, "the run has no momentum between 0 and 1")
    else:
        shift = momentum / (1 - momentum) / spacing
        excess = mean_delay(curve, drawn, null=shift)
        excess = replace(excess, estimate=delay.estimate - shift, low=delay.low - shift, high=delay.high - shift)
    return {"lag": lag_of_maximum(curve, drawn), "mean_delay": delay, "mean_delay_minus_momentum": excess}


def _against_rest(curve: LagCurve, drawn: Reals, total: dict[str, Any], others: int) -> dict[str, BootstrapMean]:
    """Compare a layer's lag and delay with those of the mean of the other layers' curves, of which all are summed."""
    if not others:
        nothing = BootstrapMean(np.nan, np.nan, np.nan, len(curve.products), _ONE_LAYER)
        return {"lag_minus_rest": nothing, "mean_delay_minus_rest": nothing}
    rest = LagCurve(curve.lag, *((total[name] - getattr(curve, name)) / others for name in _MEANS))
    drawn_rest = (total["drawn"] - drawn) / others
    return {
        "lag_minus_rest": lag_difference(curve, drawn, rest, drawn_rest),
        "mean_delay_minus_rest": delay_difference(curve, drawn, rest, drawn_rest),
    }


def lag_curve_frame(curves: dict[str, LagCurve | None], spacing: int) -> pd.DataFrame:
    """Put the curves into the columns of ``results_lag_curve``, in training iterations."""
    frames = [
        pd.DataFrame({"layer": layer, "lag": curve.lag * spacing, "cross_correlation": curve.correlation})
        for layer, curve in curves.items()
        if curve is not None
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
