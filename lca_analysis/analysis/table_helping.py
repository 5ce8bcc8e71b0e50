"""The tables of percent helping: ``results_helping`` and its curves."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lca_analysis.analysis.bootstrap import BOOTSTRAP_METHOD, bootstrap_mean
from lca_analysis.analysis.distributions import SAMPLE, Fit, excess_kurtosis, fit_distributions
from lca_analysis.analysis.helping import concentration, efficiency, percent_helping
from lca_analysis.analysis.inference import HAC_METHOD, hac_mean
from lca_analysis.analysis.layer_series import LayerSeries
from lca_analysis.analysis.multiplicity import HOLM
from lca_analysis.analysis.panel import Panel
from lca_analysis.analysis.rows import PARAMETERS, Row, adjusted, from_bootstrap, from_test, generator
from lca_analysis.analysis.threads import in_threads

Reals = NDArray[np.float64]

NO_SERIES = "the store has no sampled series for this layer; compute the run again"
NO_PARAMETERS = "the store has no table of parameters; compute the run again"
_HALF = "mean percent helping = 50"
_CANCEL = "helping and hurting cancel (ratio 0)"
_FIELLER = f"{HAC_METHOD} on net; Fieller interval of net over gross"
_BIN = 2.0


def helping_rows(series: LayerSeries, seed: int) -> list[Row]:
    """Test whether more than half of the parameters help, for the network, each layer, and each class.

    Null: the mean of percent helping over iterations is 50. Alternative: two-sided. Replication, assumptions
    and limits: those of `hac_mean`; Holm over layers. Beside it, the same test by a stationary block bootstrap.

    Parameters
    ----------
    series : LayerSeries
        The layers' counts and sums.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    list of Row
        Percent helping and efficiency, network first.
    """
    names: list[str | None] = [None, *series.layers]
    shares = helping_shares(series)
    tests = hac_mean(shares, null=50.0)
    base = Row("percent_helping", HAC_METHOD, 0, null=_HALF, alternative="two-sided")
    rows = [_percent(from_test(replace(base, layer=name), tests, place)) for place, name in enumerate(names)]
    return [
        *adjusted(rows[:1], HOLM),
        *adjusted(rows[1:], HOLM),
        *_resampled(names, shares, seed),
        *_class_rows(series, names),
        *_efficiency_rows(series, names),
    ]


def _class_rows(series: LayerSeries, names: list[str | None]) -> list[Row]:
    """Test percent helping of each class; Holm over classes for the network, over layers × classes for layers."""
    networks, layers = [], []
    for label, (n_helping, n_hurting) in series.counts.items():
        tests = hac_mean(percent_helping(_with_network(n_helping), _with_network(n_hurting)), null=50.0)
        base = Row("percent_helping", HAC_METHOD, 0, class_=label, null=_HALF, alternative="two-sided")
        rows = [_percent(from_test(replace(base, layer=name), tests, place)) for place, name in enumerate(names)]
        networks.append(rows[0])
        layers += rows[1:]
    return [*adjusted(networks, HOLM), *adjusted(layers, HOLM)]


def _resampled(names: list[str | None], shares: Reals, seed: int) -> list[Row]:
    """Test percent helping by a block bootstrap."""
    base = Row("percent_helping", BOOTSTRAP_METHOD, 0, null=_HALF, alternative="two-sided")
    rows = []
    for name, share in zip(names, shares.T, strict=True):
        found = bootstrap_mean(share, generator(seed, "percent_helping", str(name)), null=50.0)
        rows.append(_percent(from_bootstrap(replace(base, layer=name), found)))
    return [*adjusted(rows[:1], HOLM), *adjusted(rows[1:], HOLM)]


def _percent(row: Row) -> Row:
    """Leave out of an interval what no share can be."""
    low, high = (float(np.clip(end, 0, 100)) for end in (row.low, row.high))
    return replace(row, low=low, high=high)


def _efficiency_rows(series: LayerSeries, names: list[str | None]) -> list[Row]:
    """Net over gross loss change of network and layers, in percent."""
    net, gross = series.helping + series.hurting, series.hurting - series.helping
    tests = efficiency(_with_network(net), _with_network(gross))
    base = Row(
        "efficiency",
        f"{HAC_METHOD} on net; Fieller interval of net over gross",
        0,
        null=_CANCEL,
        alternative="two-sided",
    )
    rows = [from_test(replace(base, layer=name), tests, place, 100.0) for place, name in enumerate(names)]
    return [*adjusted(rows[:1], HOLM), *adjusted(rows[1:], HOLM)]


def helping_shares(series: LayerSeries) -> Reals:
    """Percent helping by iteration: ndarray[T, 1 + L] float64, the network first."""
    return percent_helping(_with_network(series.n_helping), _with_network(series.n_hurting))


def helping_series_frame(series: LayerSeries) -> pd.DataFrame:
    """Give percent helping by iteration in the columns of ``results_helping_series``."""
    shares = helping_shares(series)
    names = np.array([None, *series.layers], object)
    return pd.DataFrame(
        {
            "iteration": np.repeat(series.iterations, len(names)),
            "layer": np.tile(names, len(series.iterations)),
            "percent_helping": shares.ravel(),
        }
    )


def parameter_rows(parameters: pd.DataFrame | None, layers: tuple[str, ...]) -> list[Row]:
    """Describe how often single parameters help, and how few of them carry the loss change.

    Descriptive: the parameters of one run are dependent, so there is no interval and no test.

    Parameters
    ----------
    parameters : DataFrame or None
        Rows of the ``parameters`` table with their layer.
    layers : tuple of str
        The layers.

    Returns
    -------
    list of Row
        Network first; with a reason where there is nothing to describe.
    """
    rows: list[Row] = []
    for name in (None, *layers):
        chosen = _of_layer(parameters, name)
        rows += [_described(quantity, method, value, name, chosen) for quantity, method, value in _descriptions(chosen)]
    return rows


def _descriptions(chosen: pd.DataFrame) -> list[tuple[str, str, float]]:
    """Measure a group of parameters: quantity, method and value in percent."""
    share = percent_helping(chosen["n_helping"], chosen["n_hurting"])
    share = share[np.isfinite(share)]
    gross = (chosen["lca_hurting"] - chosen["lca_helping"]).to_numpy()
    net = chosen["lca"].to_numpy()
    near = 100 * float((np.abs(share - 50) <= 5).mean()) if len(share) else np.nan
    median = float(np.median(share)) if len(share) else np.nan
    top = "share carried by the top 1 % of parameters"
    return [
        ("percent_helping_parameter_median", "median over parameters of each one's percent helping", median),
        ("percent_of_parameters_helping_45_to_55", "share of parameters that help in 45 to 55 percent", near),
        ("top_1_percent_of_net_lca", f"{top}, ranked by net", concentration(net * np.sign(net.sum()))),
        ("top_1_percent_of_gross_lca", f"{top}, ranked by gross", concentration(gross)),
    ]


def _described(quantity: str, method: str, value: float, layer: str | None, chosen: pd.DataFrame) -> Row:
    """Make a descriptive row."""
    reason = None
    if not np.isfinite(value):
        reason = NO_PARAMETERS if len(chosen) == 0 else "no parameter ever moved the loss"
    return Row(quantity, method, len(chosen), PARAMETERS, layer=layer, estimate=value, reason=reason)


def parameter_helping_frame(parameters: pd.DataFrame | None, layers: tuple[str, ...]) -> pd.DataFrame:
    """Count the parameters by their percent helping, in the columns of ``results_parameter_helping``."""
    edges = np.arange(0, 100 + _BIN, _BIN)
    frames = []
    for name in (None, *layers):
        chosen = _of_layer(parameters, name)
        share = percent_helping(chosen["n_helping"], chosen["n_hurting"])
        counts = np.histogram(share[np.isfinite(share)], edges)[0]
        layer = np.full(len(counts), name, object)
        frames.append(pd.DataFrame({"layer": layer, "lower": edges[:-1], "upper": edges[1:], "count": counts}))
    return pd.concat(frames, ignore_index=True)


def _of_layer(parameters: pd.DataFrame | None, layer: str | None) -> pd.DataFrame:
    """Choose a layer's parameters, or all of them."""
    if parameters is None:
        names = ["layer", "lca", "lca_helping", "lca_hurting", "n_helping", "n_hurting"]
        return pd.DataFrame({name: np.zeros(0) for name in names})
    return parameters if layer is None else parameters[parameters["layer"] == layer]


def distribution_frames(panel: Panel | None, layers: tuple[str, ...], seed: int) -> tuple[pd.DataFrame, list[Row]]:
    """Fit distributions to the sampled parameters' loss change.

    Parameters
    ----------
    panel : Panel or None
        The sampled series.
    layers : tuple of str
        The layers.
    seed : int
        Seed of the subsample of at most `SAMPLE` non-zero values.

    Returns
    -------
    tuple of (DataFrame, list of Row)
        Rows of ``results_distribution``, and the excess kurtosis for ``results_helping``.
    """
    fits, rows = [], []
    names = (None, *layers)
    samples = [_sample(panel, name, generator(seed, "distribution", str(name))) for name in names]
    for name, values, found in zip(names, samples, in_threads(fit_distributions, samples), strict=True):
        best = min((fit.aic for fit in found if fit.reason is None), default=np.nan)
        for fit in found:
            fits.append(_fit_record(name, fit, best, NO_SERIES if panel is None else fit.reason))
        reason = NO_SERIES if panel is None else found[0].reason
        method = "fourth standardised moment − 3 of sampled non-zero values"
        kurtosis = Row("excess_kurtosis", method, len(values), PARAMETERS, layer=name, reason=reason)
        rows.append(replace(kurtosis, estimate=excess_kurtosis(values)))
    return pd.DataFrame(fits), rows


def _fit_record(layer: str | None, fit: Fit, best: float, reason: str | None) -> dict[str, Any]:
    """Put a fit into the columns of ``results_distribution``."""
    return {
        "layer": layer,
        "distribution": fit.distribution,
        "parameters": json.dumps(fit.parameters),
        "log_likelihood": fit.log_likelihood,
        "aic": fit.aic,
        "delta_aic": fit.aic - best,
        "n": fit.n,
        "reason": reason,
    }


def _sample(panel: Panel | None, layer: str | None, rng: np.random.Generator) -> Reals:
    """Draw non-zero loss changes of a layer's sampled parameters."""
    if panel is None or panel.step.size == 0:
        return np.zeros(0)
    columns = np.arange(len(panel.layer)) if layer is None else np.flatnonzero(panel.layer == layer)
    size = len(panel.step) * len(columns)
    if size == 0:
        return np.zeros(0)
    drawn = np.arange(size) if size <= 4 * SAMPLE else np.unique(rng.integers(size, size=4 * SAMPLE))
    row, column = drawn // len(columns), columns[drawn % len(columns)]
    values = panel.step[row, column].astype(np.float64) * panel.gradient[row, column]
    values = values[values != 0]
    return values if len(values) <= SAMPLE else rng.choice(values, SAMPLE, replace=False)


def _with_network(values: Reals) -> Reals:
    """Put the sum over layers before the layers; a layer without a value counts as nothing if others have one."""
    known = np.isfinite(values).any(1)
    total = np.where(known, np.where(np.isfinite(values), values, 0).sum(1), np.nan)
    return np.column_stack([total, values])
