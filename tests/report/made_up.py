"""A made-up run: tables with the store's columns, for drawing; the numbers mean nothing."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lca_analysis.report.quantities import EXAMPLE, LAG, NET_LCA, SHARED_PEAKS
from lca_analysis.store import Store, bin_edges, open_store

T = 120
UNITS = 12
CLASSES = 10
COMMON = {"class": -1, "confidence": 0.95, "adjustment": "holm", "n": T, "replication": "iterations"}


def layer_names(count: int) -> list[str]:
    """Name the layers as a residual network of that size would, not in the order of their names."""
    if count == 3:
        return ["fc1", "fc2", "fc3"]
    return [
        "stem",
        *(f"layer{1 + i // 7}.block{i % 7}.convolution.{i}" for i in range(count - 2)),
        "head",
    ]


def _layers(names: list[str], rng: np.random.Generator) -> pd.DataFrame:
    times, count = np.arange(T), len(names)
    wave = np.sin(times / 7)[:, None] * rng.normal(size=count) + rng.standard_t(3, (T, count))
    drift = np.linspace(-1.2, 0.5, count) if count > 1 else -np.ones(1)
    lca = (0.05 * wave + 0.05 * drift) * np.exp(-times / 90)[:, None] / count
    helping = np.minimum(lca, 0) - 0.08 / count
    index = pd.MultiIndex.from_product([times, names], names=["iteration", "layer"])
    n_helping = rng.integers(480, 540, T * count)
    return pd.DataFrame(
        {
            "lca": lca.ravel(), "lca_helping": helping.ravel(), "lca_hurting": (lca - helping).ravel(),
            "n_helping": n_helping, "n_hurting": 1000 - n_helping, "n_zero": 5,
            "step_norm2": 1.0, "gradient_norm2": 1.0, "error_estimate": 1e-6,
            "lca_momentum": 0.8 * lca.ravel(), "lca_decay": -0.1 * lca.ravel(), "lca_gradient": 0.3 * lca.ravel(),
        },
        index=index,
    ).reset_index().assign(**{"class": -1}, tensor=lambda f: f["layer"] + ".weight", kind="weight")  # fmt: skip


def _iterations(layers: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    allocated = layers.groupby("iteration")["lca"].sum().to_numpy()
    residual = rng.normal(scale=2e-4, size=T)
    after = 2.3 + np.cumsum(allocated + residual)
    return pd.DataFrame(
        {
            "iteration": np.arange(T), "iteration_next": np.arange(1, T + 1), "class": -1,
            "loss_before": np.concatenate([[2.3], after[:-1]]), "loss_after": after,
            "loss_change": allocated + residual, "allocated": allocated, "residual": residual,
            "error_estimate": 1e-5, "rule": "paper", "pieces": 1, "gradient_evaluations": 2,
            "status": np.where(np.abs(residual) > 4e-4, "tolerance", "ok"),
        }
    )  # fmt: skip


def _units(names: list[str], rng: np.random.Generator) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([range(T), names, range(UNITS)], names=["iteration", "layer", "unit"])
    times = index.get_level_values("iteration").to_numpy()
    lca = 0.01 * rng.standard_t(3, len(index)) * np.exp(-times / 90) - 0.002
    return pd.DataFrame({"lca": lca}, index=index).reset_index()


def _histogram(names: list[str]) -> pd.DataFrame:
    bins = np.concatenate([np.arange(-120, -10), [0], np.arange(11, 121)])
    lower, upper = bin_edges(bins)
    count = np.where(bins == 0, 5000, 40_000 * np.exp(-(((np.abs(bins) - 75) / 16) ** 2)) * (1 - 0.02 * np.sign(bins)))
    part = pd.DataFrame({"bin": bins, "lower": lower, "upper": upper, "count": count.astype(int)})
    part["lca"] = part["count"] * (lower + upper) / 2
    return pd.concat([part.assign(layer=name) for name in names])


def _helping(layers: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    percent = layers.assign(percent_helping=layers["n_helping"] / 10)
    network = percent.groupby("iteration", as_index=False)["percent_helping"].mean().assign(layer=None)
    series = pd.concat([network, percent[["iteration", "layer", "percent_helping"]]])
    lower = np.arange(0, 100, 5.0)
    counts = np.round(4000 * np.exp(-(((lower - 48) / 9) ** 2))).astype(int)
    bins = [
        pd.DataFrame({"lower": lower, "upper": lower + 5, "count": np.roll(counts, place % 3 - 1), "layer": name})
        for place, name in enumerate([None, *dict.fromkeys(layers["layer"])])
    ]
    return series, pd.concat(bins)


def _spectra(names: list[str], rng: np.random.Generator) -> pd.DataFrame:
    frequency = np.arange(0, 65) / 128
    with np.errstate(divide="ignore"):
        period = np.where(frequency > 0, 1 / frequency, np.nan)
    parts = [
        pd.DataFrame(
            {
                "layer": name, "frequency": frequency, "period": period,
                "power_step": 1e-3 / (0.01 + (frequency - 0.05 - 0.3 * place / len(names)) ** 2),
                "power_gradient": 1e-2 / (0.02 + (frequency - 0.1) ** 2), "background_step": 1e-3,
                "coherence": np.exp(-3 * frequency), "phase": np.linspace(0, 3, 65) * (-1) ** place,
                "lca": rng.normal(-0.001, 0.004, 65), "lca_sampled_fraction": 0.3,
            }
        )
        for place, name in enumerate(names)
    ]  # fmt: skip
    return pd.concat(parts)


def _lag_curve(names: list[str]) -> pd.DataFrame:
    lags = np.arange(-30, 31)
    curve = [np.cos((lags - 5 - place % 7) / 5) * np.exp(-np.abs(lags) / 18) * 0.6 for place in range(len(names))]
    index = pd.MultiIndex.from_product([names, lags], names=["layer", "lag"])
    return pd.DataFrame({"cross_correlation": np.concatenate(curve)}, index=index).reset_index()


def _peaks(names: list[str], rng: np.random.Generator) -> pd.DataFrame:
    shared = rng.choice(T, 8, replace=False)
    rows = []
    for name in names:
        own = np.unique(np.concatenate([rng.choice(shared, 5, replace=False), rng.choice(T, 15, replace=False)]))
        rows.append(
            pd.DataFrame(
                {"layer": name, "class": -1, "rank": np.arange(1, len(own) + 1), "iteration": own, "lca": -0.1}
            )
        )
    return pd.concat(rows)


def _class_peaks(names: list[str], rng: np.random.Generator) -> pd.DataFrame:
    return pd.concat([_peaks(names, rng).assign(**{"class": one}) for one in range(CLASSES)])


def _series(names: list[str]) -> pd.DataFrame:
    times = np.arange(T)
    parts = []
    for place, name in enumerate((names[0], names[1])):
        weight = np.sin(times / (3 + place)) + 20 * place
        gradient = 1e-5 * np.cos(times / (3 + place)) + 1e-6 * (place - 0.5)
        lca = np.gradient(weight) * gradient
        index = {"layer": name, "tensor": f"{name}.weight", "index": 7 + place}
        columns = {"iteration": times, "weight": weight, "step": np.gradient(weight), "path_gradient": gradient}
        parts.append(pd.DataFrame({**columns, **index, "lca": lca}))
    return pd.concat(parts).sort_values("iteration", kind="stable")


def tables(layers: int, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Make the tables of one split that the figures draw, for so many layers."""
    rng, names = np.random.default_rng(seed), layer_names(layers)
    rows = _layers(names, rng)
    series, bins = _helping(rows)
    cumulative = rows[["iteration", "layer"]].assign(lca=rows.groupby("layer")["lca"].cumsum())
    return {
        "layers": rows,
        "iterations": _iterations(rows, rng),
        "units": _units(names, rng),
        "histogram": _histogram(names),
        "results_helping_series": series,
        "results_parameter_helping": bins,
        "results_cumulative": cumulative,
        "results_spectra": _spectra(names, rng),
        "results_lag_curve": _lag_curve(names),
        "results_peaks": pd.concat([_peaks(names, rng), _class_peaks(names, rng)]),
        "series": _series(names),
    }


def write_store(path: Path, layers: int, runs: tuple[str, ...] = ("run",), extra: Mapping | None = None) -> Store:
    """Write the made-up run into a store, with train and validation splits; `extra` tables go into both."""
    store, names = open_store(path, create=True), layer_names(layers)
    for place, run in enumerate(runs):
        store.write_part("runs", _run_row(run, layers, place), run)
        index = {"layer": names, "depth": range(layers), "kind": "Linear", "tensors": 1, "parameters": 1000}
        store.write_part("layers_index", pd.DataFrame({**index, "units": UNITS}), run)
        for seed, split in enumerate(("train", "validation")):
            store.write_part("computations", _computation_row(seed), run, split)
            for name, frame in {**tables(layers, seed), **(extra or {})}.items():
                store.write_part(name, frame, run, split)
    return store


def _run_row(run: str, layers: int, seed: int) -> pd.DataFrame:
    row = {
        "run_id": f"{seed:032x}", "path": "made-up", "problem": "mnist_fc", "arguments": "{}",
        "parameters": 1000 * layers,
        "tensors": layers, "iterations": T, "optimizer": "SGD", "learning_rate": 0.1, "momentum": 0.9,
        "weight_decay": 0.0, "seed": seed, "group": "made-up", "tags": "{}", "lossless": True, "preset": "small",
        "every": 1, "complete": True, "created": "2024-01-01T00:00:00Z", "versions": '{"torch": "2.13.0"}',
    }  # fmt: skip
    return pd.DataFrame([row])


def _computation_row(seed: int) -> pd.DataFrame:
    row = {
        "rule": "paper", "tolerance": 1e-3, "max_pieces": 32, "normalization": "batch", "batch_size": 1000,
        "examples": 5000, "fingerprint": f"{seed:064x}", "dtype": "float32", "sample_seed": 0, "range_length": 64,
        "iterations": T, "torch_version": "2.13.0", "package_version": "0.1.0",
    }  # fmt: skip
    return pd.DataFrame([row])


def _examples(names: list[str]) -> pd.DataFrame:
    ends = [(names[0], f"{names[0]}.weight[7]"), (names[1], f"{names[1]}.weight[8]")]
    row = {**COMMON, "quantity": EXAMPLE, "method": "made up", "p": 1e-9, "p_adjusted": 2e-4}
    return pd.DataFrame([{**row, "layer": layer, "subject": name, "estimate": 18.85} for layer, name in ends])


def common_results(layers: int) -> dict[str, pd.DataFrame]:
    """Make rows of the tables that share the common columns; one of them has no result."""
    names = layer_names(layers)
    row = {**COMMON, "method": "made up", "null": "none", "alternative": "greater"}
    net = [
        {**row, "layer": name, "estimate": -0.5, "low": -0.9, "high": -0.1, "p": 1e-5, "p_adjusted": 2e-5}
        for name in names
    ]
    net += [{**row, "layer": name, "estimate": -0.5, "low": -9.0, "high": 9.0, "method": "none"} for name in names]
    lag = [{**row, "layer": name, "estimate": 4.5, "low": 3.0, "high": 6.0, "p": 0.2} for name in names]
    pairs = [
        {**row, "subject": f"{first}|{second}", "estimate": float(place % 7)}
        for place, first in enumerate(names)
        for second in names[place + 1 :]
    ]
    none = {**row, "estimate": np.nan, "reason": "too few iterations", "quantity": "percent_helping"}
    return {
        "results_helping": pd.DataFrame([none]),
        "results_hurting": pd.DataFrame(net).assign(quantity=NET_LCA),
        "results_oscillation": pd.concat([pd.DataFrame(lag).assign(quantity=LAG), _examples(names)]),
        "results_synchronization": pd.DataFrame(pairs).assign(quantity=SHARED_PEAKS),
    }
