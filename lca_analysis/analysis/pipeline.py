"""From a store's tables to its tables of results."""

import os
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd

from lca_analysis.analysis import table_examples as examples
from lca_analysis.analysis import table_generalization as generalization
from lca_analysis.analysis import table_helping as helping
from lca_analysis.analysis import table_hurting as hurting
from lca_analysis.analysis import table_lags as lags
from lca_analysis.analysis import table_oscillation as oscillation
from lca_analysis.analysis import table_parts as parts
from lca_analysis.analysis import table_spans as spans
from lca_analysis.analysis import table_synchronization as synchronization
from lca_analysis.analysis.comparison import compare
from lca_analysis.analysis.layer_series import LayerSeries, read_layer_series
from lca_analysis.analysis.options import AnalysisOptions
from lca_analysis.analysis.panel import Panel, read_panel
from lca_analysis.analysis.rows import Row, to_frame
from lca_analysis.errors import ArgumentError, NotFoundError
from lca_analysis.progress import track
from lca_analysis.store import TABLES, Store, open_store

Result = tuple[str, pd.DataFrame]

_STAGES = 5


def analyze(
    store: Store | str | os.PathLike[str],
    run: str | None = None,
    split: str | None = None,
    seed: int = 0,
    progress: bool | None = None,
    **options: int,
) -> None:
    """Run all analyses on the tables of a store, and write their results beside them.

    Without `run`, also those over runs: see `compare`.

    Parameters
    ----------
    store : Store or path-like
        The store, or its folder.
    run, split : str, optional
        Which run and split; None analyses all that have LCA tables.
    seed : int
        Seed of bootstraps, shifts and subsamples. The same tables and seed give the same results, to the byte.
    progress : bool, optional
        True shows a progress bar, False hides it, None shows it on a terminal only.
    **options
        peak_tolerance, spans, shortest_span: see `AnalysisOptions`.

    Raises
    ------
    NotFoundError
        There is no such run or split, or the store holds no LCA tables.
    CorruptError
        A table is damaged or incomplete; the message names it.
    ArgumentError
        The seed or an option cannot be used.
    """
    settings = _settings(seed, options)
    opened = store if isinstance(store, Store) else open_store(store)
    chosen = _partitions(opened, run, split)
    with track(_STAGES * len(chosen), "analyze", "analysis", progress) as bar:
        for one_run, one_split in chosen:
            for results in _stages(opened, one_run, one_split, settings):
                for name, frame in results:
                    opened.write_part(name, _with_columns(name, frame), one_run, one_split)
                bar.update()
    if run is None:
        compare(opened, split=split)


def _settings(seed: int, options: dict[str, int]) -> AnalysisOptions:
    """Put seed and options together."""
    known = [name for name in AnalysisOptions.__dataclass_fields__ if name != "seed"]
    if unknown := [name for name in options if name not in known]:
        raise ArgumentError(f"analyze has no option {unknown[0]!r}; it has: {', '.join(known)}")
    return AnalysisOptions(seed, **options)


def _partitions(store: Store, run: str | None, split: str | None) -> list[tuple[str, str]]:
    """List the runs and splits to analyse: those whose computation is finished. Others are named in a warning."""
    finished, begun = (_pairs(store, table, run, split) for table in ("computations", "layers"))
    unfinished = ", ".join(f"{one_run}/{one_split}" for one_run, one_split in sorted(begun - finished))
    if not finished:
        if unfinished:
            raise NotFoundError(f"{unfinished} in {store.path} is not computed to its end; run: lca compute")
        store.table("layers", run=run, split=split)
        raise NotFoundError(f"{store.path} has no table 'layers' for run {run!r}, split {split!r}; run: lca compute")
    if unfinished:
        warnings.warn(f"not analysed, since not computed to its end: {unfinished}", UserWarning, stacklevel=3)
    return sorted(finished)


def _pairs(store: Store, table: str, run: str | None, split: str | None) -> set[tuple[str, str]]:
    """List the runs and splits that a table has, of those asked for."""
    found = {(values["run"], values["split"]) for values, _ in store.files(table)}
    return {pair for pair in found if run in (None, pair[0]) and split in (None, pair[1])}


def _stages(store: Store, run: str, split: str, options: AnalysisOptions) -> Iterator[list[Result]]:
    """Analyse one run and split, table by table."""
    series = read_layer_series(store, run, split)
    panel = read_panel(store, run, split, series.iterations)
    seed = options.seed
    yield from (
        _helping(store, run, split, series, panel, seed),
        _hurting(store, (run, split), series, options),
    )
    yield _oscillation(store, run, series, panel, seed)
    peaks = [synchronization.class_peaks(series, label, options.peak_tolerance) for label in series.by_class]
    yield [
        (
            "results_synchronization",
            to_frame(synchronization.synchronization_rows(peaks, seed), "results_synchronization"),
        )
    ]
    yield [("results_peaks", synchronization.peaks_frame(peaks, series))]


def _helping(store: Store, run: str, split: str, series: LayerSeries, panel: Panel | None, seed: int) -> list[Result]:
    """Analyse percent helping."""
    parameters = _parameters(store, run, split)
    fits, kurtosis = helping.distribution_frames(panel, series.layers, seed)
    rows = [*helping.helping_rows(series, seed), *helping.parameter_rows(parameters, series.layers), *kurtosis]
    return [
        ("results_helping", to_frame(rows, "results_helping")),
        ("results_helping_series", helping.helping_series_frame(series)),
        ("results_parameter_helping", helping.parameter_helping_frame(parameters, series.layers)),
        ("results_distribution", fits),
    ]


def _hurting(store: Store, partition: tuple[str, str], series: LayerSeries, options: AnalysisOptions) -> list[Result]:
    """Analyse hurting layers, parts of the update, spans of training, and units; and train against this split."""
    rows = [*hurting.hurting_rows(series, options.seed), *parts.part_rows(series)]
    rows += spans.span_rows(series, options)
    rows += hurting.unit_rows(_optional(store, "units", *partition))
    run, split = partition
    if split != generalization.TRAIN and (run, generalization.TRAIN) in _pairs(store, "computations", run, None):
        train = read_layer_series(store, run, generalization.TRAIN)
        rows += generalization.generalization_rows(series, train, split)
    return [
        ("results_hurting", to_frame(rows, "results_hurting")),
        ("results_cumulative", hurting.cumulative_frame(series)),
    ]


def _oscillation(store: Store, run: str, series: LayerSeries, panel: Panel | None, seed: int) -> list[Result]:
    """Analyse oscillation and lag."""
    layers = series.layers if panel is None else tuple(name for name in series.layers if (panel.layer == name).any())
    rows: list[Row] = []
    for layer in series.layers:
        if panel is None or layer not in layers:
            rows += lags.missing_lags(layer, helping.NO_SERIES)
    if panel is None:
        frames = [pd.DataFrame(), pd.DataFrame()]
    else:
        found = oscillation.panel_oscillation(panel, layers, seed)
        curves = lags.layer_curves(panel, layers)
        rows += oscillation.oscillation_rows(found)
        rows += examples.example_rows(panel, found)
        rows += lags.lag_rows(curves, panel, _momentum(store, run), seed)
        within = slice(panel.first, panel.first + len(panel.step))
        totals = dict(zip(series.layers, np.nansum(series.lca[within], axis=0), strict=True))
        frames = [oscillation.spectra_frame(found, totals, panel.spacing), lags.lag_curve_frame(curves, panel.spacing)]
    tables = ("results_oscillation", "results_spectra", "results_lag_curve")
    return list(zip(tables, [to_frame(rows, tables[0]), *frames], strict=True))


def _momentum(store: Store, run: str) -> float | None:
    """Read the run's momentum, where its optimizer has one that delays as SGD's does."""
    table = _optional(store, "runs", run)
    if table is None or len(table) == 0 or table["optimizer"].iloc[0] != "SGD":
        return None
    value = table["momentum"].iloc[0]
    return None if pd.isna(value) else float(value)


def _parameters(store: Store, run: str, split: str) -> pd.DataFrame | None:
    """Read the parameters, each with its layer."""
    parameters = _optional(store, "parameters", run, split)
    if parameters is None:
        return None
    index = _optional(store, "parameters_index", run)
    layer = {} if index is None else dict(zip(index["tensor"], index["layer"], strict=True))
    names = parameters["tensor"].map(lambda tensor: layer.get(tensor, tensor.rpartition(".")[0] or "(root)"))
    return parameters.assign(layer=names)


def _optional(store: Store, name: str, run: str, split: str | None = None) -> pd.DataFrame | None:
    """Read a table that may be missing."""
    try:
        return store.table(name, run=run, split=split)
    except NotFoundError:
        return None


def _with_columns(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Give an empty frame the columns of its table."""
    return pd.DataFrame(columns=TABLES[name].schema.names) if frame.empty else frame
