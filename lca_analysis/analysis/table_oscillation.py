"""The tables of oscillation and lag: ``results_oscillation``, ``results_spectra`` and ``results_lag_curve``."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lca_analysis.analysis.coherence import CoherenceTest, coherence_test
from lca_analysis.analysis.flips import flip_interval
from lca_analysis.analysis.inference import HAC_METHOD
from lca_analysis.analysis.multiplicity import BENJAMINI_HOCHBERG, HOLM, adjust
from lca_analysis.analysis.panel import Panel
from lca_analysis.analysis.periodicity import MIN_LENGTH, PERIODICITY_METHOD, periodicity
from lca_analysis.analysis.rows import PARAMETERS, Row, adjusted, from_test, generator
from lca_analysis.analysis.segments import segment_spectra
from lca_analysis.analysis.spectra import Spectra, segment_length, spectra
from lca_analysis.analysis.table_coherence import coherence_rows
from lca_analysis.analysis.threads import in_threads

Reals = NDArray[np.float64]

SHORT_PERIOD = 10
"""Oscillations of fewer recorded steps than this count as fast."""

LEVEL = 0.05
"""Level of the tests of periodicity, after correction."""


@dataclass(frozen=True)
class LayerOscillation:
    """What is found in one layer's sampled series.

    Attributes
    ----------
    layer : str
        The layer.
    rows : list of Row
        Flip intervals, spectral LCA, coherence; periodicity is tested over all layers together.
    spectra : Spectra or None
        None where the series is too short.
    coherence : CoherenceTest or None
        None where the series is too short, or nothing moves.
    periods : dict of str to (ndarray, ndarray)
        Period and p-value of each parameter, for "step" and "gradient".
    """

    layer: str
    rows: list[Row]
    spectra: Spectra | None
    coherence: CoherenceTest | None
    periods: dict[str, tuple[Reals, Reals]]


def layer_oscillation(layer: str, step: Reals, gradient: Reals, spacing: int, seed: int = 0) -> LayerOscillation:
    """Analyse the oscillation of one layer's sampled parameters.

    Parameters
    ----------
    layer : str
        The layer.
    step, gradient : ndarray[T, P] float64
        Δ[t, i] and ḡ[t, i].
    spacing : int
        Training iterations between recorded points.
    seed : int
        Seed of the random phases.

    Returns
    -------
    LayerOscillation
        Rows and curves, in training iterations.
    """
    rows, periods = [], {}
    for name, values in (("step", step), ("gradient", gradient)):
        test = flip_interval(values)
        base = Row(f"flip_interval_{name}", f"{HAC_METHOD} on the flip rate", 0, layer=layer, alternative="two-sided")
        rows.append(from_test(replace(base, null=f"white noise: {2 * spacing} iterations"), test, 0, spacing))
        found = periodicity(values)
        periods[name] = (found.period * spacing, found.p)
    enough = len(step) >= MIN_LENGTH and step.shape[1] > 0
    found_spectra = spectra(step, gradient) if enough else None
    segments = segment_spectra(step, gradient, segment_length(len(step))) if enough else None
    coherent = None if segments is None else coherence_test(segments, generator(seed, "coherence", layer))
    rows += _spectral_rows(layer, found_spectra, spacing, len(step))
    rows += coherence_rows(layer, segments, coherent, spacing, few_steps(len(step)) if not enough else None)
    return LayerOscillation(layer, rows, found_spectra, coherent, periods)


def few_steps(length: int) -> str:
    """Say that there are too few steps for a spectrum."""
    return f"at least {MIN_LENGTH} evenly spaced finite steps are needed; there are {length}"


def _spectral_rows(layer: str, found: Spectra | None, spacing: int, n: int) -> list[Row]:
    """Describe the spectral LCA of a layer."""
    parseval = Row(
        "sampled_lca", "co-spectrum of path gradient and step (Parseval), sampled parameters", n, layer=layer
    )
    fast = replace(parseval, quantity=f"sampled_lca_periods_below_{SHORT_PERIOD * spacing}")
    if found is None:
        return [replace(row, reason=few_steps(n)) for row in (parseval, fast)]
    return [
        replace(parseval, estimate=float(found.lca.sum())),
        replace(fast, estimate=float(found.lca[found.frequency > 1 / SHORT_PERIOD].sum())),
    ]


def oscillation_rows(found: list[LayerOscillation]) -> list[Row]:
    """Join the layers' rows, correct for the number of layers, and count the periodic parameters.

    Null, alternative, replication and assumptions: those of `flip_interval` (Holm over layers) and of `periodicity`
    (one test a sampled parameter, Benjamini–Hochberg over all sampled parameters of the network, at 5 %), and of
    `coherence_test` (Holm over layers).

    Parameters
    ----------
    found : list of LayerOscillation
        The layers.

    Returns
    -------
    list of Row
        All rows but those of lags.
    """
    rows = [row for layer in found for row in layer.rows if np.isnan(row.p)]
    for name in ("step", "gradient"):
        tests = [row for layer in found for row in layer.rows if row.quantity == f"flip_interval_{name}"]
        rows += adjusted([row for row in tests if not np.isnan(row.p)], HOLM)
        rows += _periodic_rows(name, found)
    tests = [row for layer in found for row in layer.rows if row.quantity == "coherence" and not np.isnan(row.p)]
    return [*rows, *adjusted(tests, HOLM)]


def _periodic_rows(name: str, found: list[LayerOscillation]) -> list[Row]:
    """Count the parameters that oscillate, and give the median of their periods."""
    owner = np.repeat(np.arange(len(found)), [len(layer.periods[name][1]) for layer in found])
    period = np.concatenate([np.zeros(0), *[layer.periods[name][0] for layer in found]])
    p = np.concatenate([np.zeros(0), *[layer.periods[name][1] for layer in found]])
    significant = adjust(p, BENJAMINI_HOCHBERG) <= LEVEL
    rows = []
    for place, layer in [(None, None), *enumerate(layer.layer for layer in found)]:
        chosen = np.ones(len(p), bool) if place is None else owner == place
        rows += _periodic_pair(name, layer, period[chosen], p[chosen], significant[chosen])
    return rows


def _periodic_pair(name: str, layer: str | None, period: Reals, p: Reals, significant: NDArray[np.bool_]) -> list[Row]:
    """Make the two rows of one group of parameters."""
    tested = int(np.isfinite(p).sum())
    method = f"{PERIODICITY_METHOD}; {BENJAMINI_HOCHBERG} at {100 * LEVEL:.0f} %"
    share = Row(f"percent_periodic_{name}", method, tested, PARAMETERS, layer=layer, null="AR(1) noise")
    middle = replace(share, quantity=f"median_period_{name}", n=int(significant.sum()))
    if tested == 0:
        reason = f"no sampled parameter varies over at least {MIN_LENGTH} steps"
        return [replace(share, reason=reason), replace(middle, reason=reason)]
    share = replace(share, estimate=100 * float(significant.sum()) / tested)
    if not significant.any():
        return [share, replace(middle, reason="no parameter is periodic")]
    return [share, replace(middle, estimate=float(np.median(period[significant])))]


def spectra_frame(found: list[LayerOscillation], totals: dict[str, float], spacing: int) -> pd.DataFrame:
    """Put spectra into the columns of ``results_spectra``, in training iterations.

    Parameters
    ----------
    found : list of LayerOscillation
        The layers.
    totals : dict of str to float
        Loss change of each layer's parameters, sampled or not, over the same steps.
    spacing : int
        Training iterations between recorded points.

    Returns
    -------
    DataFrame
        One row a layer and frequency.
    """
    frames = [_one_spectrum(layer, totals[layer.layer], spacing) for layer in found if layer.spectra is not None]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _one_spectrum(found: LayerOscillation, total: float, spacing: int) -> pd.DataFrame:
    """Give the rows of one layer."""
    curves = found.spectra
    if curves is None:
        return pd.DataFrame()
    frequency = curves.frequency / spacing
    period = np.divide(1.0, frequency, out=np.full(len(frequency), np.nan), where=frequency > 0)
    columns = {"layer": found.layer, "frequency": frequency, "period": period}
    columns |= {"power_step": curves.power_step * spacing, "power_gradient": curves.power_gradient * spacing}
    columns |= {"background_step": curves.background_step * spacing, "lca": curves.lca}
    if (test := found.coherence) is not None:
        columns |= {"coherence": test.coherence, "coherence_low": test.low, "coherence_high": test.high}
        columns |= {"coherence_p": test.p}
        columns |= {"phase": test.phase, "phase_low": test.phase_low, "phase_high": test.phase_high}
    fraction = curves.lca.sum() / total if total != 0 and np.isfinite(total) else np.nan
    return pd.DataFrame(columns | {"lca_sampled_fraction": fraction})


def panel_oscillation(panel: Panel, layers: tuple[str, ...], seed: int = 0) -> list[LayerOscillation]:
    """Analyse the oscillation of every layer."""
    return in_threads(lambda name: layer_oscillation(name, *panel.of_layer(name), panel.spacing, seed), layers)
