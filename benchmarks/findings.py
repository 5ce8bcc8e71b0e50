"""What the runs of this package show of the findings of Lan et al. (2019): the tables of docs/findings.md.

Records and computes the runs of findings_runs.py (what is there already stays, what was cut short goes on), analyses
them, prints the tables, and writes them into docs/findings.md between its marks. Sentences there are written by hand.

    python benchmarks/findings.py FOLDER                     # everything: an hour or two on two cores
    python benchmarks/findings.py FOLDER --only fc-plain …   # record only these configurations
    python benchmarks/findings.py FOLDER --tables lags …     # of the tables only these
    python benchmarks/findings.py FOLDER --no-runs           # record and analyse nothing: from what is there
"""

import argparse
import re
import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from findings_runs import CONFIGURATIONS, LONG, record

import lca_analysis as lca
from lca_analysis.store import Store

PAGE = Path(__file__).parents[1] / "docs" / "findings.md"
SINGLE = tuple(one.name for one in LONG)
MEAN = "mean over runs, t"
MOST = 5
"""Layers of a network of which all are shown; of others the first and the last."""


def analyse(store: Store) -> None:
    """Analyse the long runs by themselves, and all runs together."""
    for name in SINGLE:
        run = f"{name}-seed-0"
        if run in store.runs() and store.has_part("computations", run, "train"):
            lca.analyze(store, run=run, split="train", progress=False)
    lca.compare(store)


def helping(store: Store) -> list[list[str]]:
    """Percent helping of every configuration, over its runs."""
    rows = _over_runs(store, "percent_helping")
    batch = {one.name: one for one in CONFIGURATIONS}
    table = [["configuration", "minibatch", "runs", "percent helping"]]
    for name, row in rows[rows["layer"].isna()].set_index("group").iterrows():
        table.append([f"{name}", str(batch[str(name)].settings.batch_size), str(row["n"]), _estimate(row, 1)])
    return table


def hurting(store: Store) -> list[list[str]]:
    """Net LCA of every layer that does not help, and of the first and last, over runs."""
    rows = _over_runs(store, "net_lca", alternative="greater").dropna(subset=["layer"])
    table = [["configuration", "layer", "runs", "net LCA", "Holm p that it hurts"]]
    for group, own in rows.groupby("group", sort=False):
        places = _depths(store, f"{group}-seed-0")
        own = own.assign(depth=own["layer"].map(places.index)).sort_values("depth")
        kept = own[(own["estimate"] > 0) | own["depth"].isin([0, len(places) - 1])] if len(own) > MOST else own
        for _, row in kept.iterrows():
            table.append([str(group), row["layer"], str(row["n"]), _estimate(row, 3), _p(row["p_adjusted"])])
    return table


def interventions(store: Store) -> list[list[str]]:
    """What was done to a layer, against the plain training, pair by pair."""
    table = [["configuration", "pairs", "quantity", "plain", "changed", "difference", "p (t)", "p (signed ranks)"]]
    for split, quantity in (("train", "loss_last"), ("validation", "loss_last"), ("train", "net_lca")):
        rows = store.table("results_comparison", split=split, quantity=quantity)
        rows = rows[~rows["group"].str.contains("batch")]  # other minibatches, so no pairs
        for (group, layer), own in rows.groupby(["group", "layer"], dropna=False, sort=False):
            tests = {str(row["method"]): row for _, row in own.iterrows()}
            mean = tests.get(MEAN)
            if mean is None or pd.isna(mean["p"]) or (quantity == "net_lca" and not _is_shown(store, group, layer)):
                continue
            ranks = next(row for name, row in tests.items() if "Wilcoxon" in name)
            what = f"last {split} loss" if quantity == "loss_last" else f"net LCA of {layer}"
            means = [f"{mean[name]:.3f}" for name in ("baseline_mean", "group_mean")]
            p = [_p(mean["p_adjusted"]), _p(ranks["p_adjusted"])]
            table.append([str(group), str(mean["n"]), what, *means, _estimate(mean, 3), *p])
    return [table[0], *sorted(table[1:], key=lambda row: [one.name for one in CONFIGURATIONS].index(row[0]))]


def parts(store: Store) -> list[list[str]]:
    """Which part of the update moved the loss, layer by layer."""
    table = [["configuration", "layer", "runs", "momentum carried over", "fresh gradient"]]
    momentum, fresh = (_over_runs(store, f"net_lca_{part}") for part in ("momentum", "gradient"))
    for (_, first), (_, second) in zip(momentum.iterrows(), fresh.iterrows(), strict=True):
        if _is_shown(store, first["group"], first["layer"]):
            row = [first["group"], first["layer"], str(first["n"]), _estimate(first, 3), _estimate(second, 3)]
            table.append(row)
    return table


def lags(store: Store) -> list[list[str]]:
    """By how many iterations layers follow their gradient, in single runs."""
    table = [["run", "momentum", "m/(1 − m)", "layer", "lag of the largest correlation", "mean delay"]]
    for run in _analysed(store, "results_oscillation"):
        rows = store.table("results_oscillation", run=run, split="train")
        delay = rows.loc[rows["quantity"] == "momentum_delay", "estimate"].iloc[0]
        momentum = store.table("runs", run=run)["momentum"].iloc[0]
        own = rows[(rows["quantity"] == "lag") & rows["layer"].notna()]
        own = own if len(own) <= MOST else own[own["layer"].isin(["conv1", "fc"])]
        mean = rows[rows["quantity"] == "mean_delay"].set_index("layer")
        for _, row in own.iterrows():
            late = _estimate(mean.loc[row["layer"]], 1)
            table.append([run, f"{momentum:g}", f"{delay:.3g}", row["layer"], _estimate(row, 1), late])
    return table


def synchrony(store: Store) -> list[list[str]]:
    """Shared moments of learning under every null, in single runs."""
    table = [["run", "null", "shared", "p", "why there is none"]]
    for run in _analysed(store, "results_synchronization"):
        rows = store.table("results_synchronization", run=run, split="train", class_=-1, quantity="shared_peaks")
        for _, row in rows[rows["subject"].isna()].iterrows():
            shared = "" if pd.isna(row["estimate"]) else f"{row['estimate']:.0f}"
            p = "" if pd.isna(row["p_adjusted"]) else _p(row["p_adjusted"])
            table.append([run, str(row["null"]), shared, p, "" if pd.isna(row["reason"]) else row["reason"]])
    return table


TABLES = {
    "helping": helping,
    "hurting": hurting,
    "interventions": interventions,
    "parts": parts,
    "lags": lags,
    "synchrony": synchrony,
}


def _over_runs(store: Store, quantity: str, **conditions: str) -> pd.DataFrame:
    """Read the rows of a quantity over runs, in the order of the configurations; the test's where there are runs."""
    rows = store.table("results_seeds", split="train", quantity=quantity, method=MEAN, **conditions)
    order = [one.name for one in CONFIGURATIONS]
    rows = rows[rows["group"].isin(order) & (rows["n"] > 0)]
    return rows.sort_values("group", key=lambda names: names.map(order.index), kind="stable")


def _analysed(store: Store, table: str) -> list[str]:
    """List the runs that were analysed by themselves."""
    present = {values["run"] for values, _ in store.files(table)}
    return [run for name in SINGLE if (run := f"{name}-seed-0") in present]


def _depths(store: Store, run: str) -> list[str]:
    """List the layers of a run."""
    return list(store.table("layers_index", run=run)["layer"])


def _is_shown(store: Store, group: str, layer: str | None) -> bool:
    """Whether a layer is shown: every one of a small network, the first and the last of others."""
    layers = _depths(store, f"{group}-seed-0")
    return layer in (layers if len(layers) <= MOST else [layers[0], layers[-1]])


def _estimate(row: pd.Series, digits: int) -> str:
    """Write an estimate with its interval."""
    if pd.isna(row["estimate"]):
        return f"none: {row['reason']}"
    text = f"{row['estimate']:+.{digits}f}" if digits > 1 else f"{row['estimate']:.{digits}f}"
    if pd.isna(row["low"]):
        return text
    return f"{text} ({row['low']:.{digits}f} to {row['high']:.{digits}f})"


def _p(value: float) -> str:
    """Write a p-value."""
    return "none" if pd.isna(value) else f"{value:.2g}"


def markdown(rows: list[list[str]]) -> str:
    """Write a table in Markdown."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def write(page: Path, tables: dict[str, str]) -> None:
    """Put the tables between their marks."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        mark = re.compile(rf"(<!-- table {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = mark.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)  # type: ignore[misc]
    page.write_text(text, encoding="utf-8")


def main() -> None:
    """Record, analyse, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[], metavar="CONFIGURATION")
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES), help="make only these")
    parser.add_argument("--no-runs", action="store_true", help="record and analyse nothing")
    chosen = parser.parse_args()
    if not chosen.no_runs:
        record(chosen.folder, chosen.only)
    store = lca.open_store(chosen.folder / "store")
    if not chosen.no_runs:
        analyse(store)
    tables = {name: markdown(TABLES[name](store)) for name in chosen.tables}
    for name, table in tables.items():
        print(f"{name}\n{table}\n")
    write(PAGE, tables)


if __name__ == "__main__":
    main()
