"""What was found, in plain words: every number comes from the results tables."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from lca_analysis.analysis.inference import CONSTANT, HAC_METHOD, NO_VALUES
from lca_analysis.analysis.layer_series import PARTS
from lca_analysis.analysis.rows import EVERY_CLASS
from lca_analysis.analysis.wording import (
    LEVEL,
    interval_text,
    listed,
    p_text,
    plain,
    signed,
    significant,
    test_text,
)
from lca_analysis.store import Store


@dataclass(frozen=True)
class Finding:
    """One thing that was found, or looked for and not found.

    Attributes
    ----------
    analysis : str
        "helping", "hurting", "oscillation" or "synchronization".
    title : str
        A few words.
    text : str
        One or two sentences with the numbers, their interval and p-value.
    figure : str
        Name of the report's figure that shows it.
    p : float
        Corrected p-value; NaN where there is no test.
    significant : bool
        Whether it is at most 0.05.
    """

    analysis: str
    title: str
    text: str
    figure: str
    p: float
    significant: bool


def findings(store: Store, run: str, split: str) -> list[Finding]:
    """Say what the analyses found in a run and split, and what they did not find.

    Parameters
    ----------
    store : Store
        A store that was analysed.
    run, split : str
        Which run and split.

    Returns
    -------
    list of Finding
        By analysis, in a fixed order.

    Raises
    ------
    NotFoundError
        The run or split has no results; the message says which command makes them.
    """
    return [
        *_helping(_rows(store, "results_helping", run, split), split),
        *_hurting(_rows(store, "results_hurting", run, split), split),
        *_oscillation(_rows(store, "results_oscillation", run, split)),
        *_synchronization(_rows(store, "results_synchronization", run, split)),
    ]


def _rows(store: Store, name: str, run: str, split: str) -> pd.DataFrame:
    """Read the results of all classes together."""
    return store.table(name, run=run, split=split, class_=EVERY_CLASS)


def _finding(analysis: str, title: str, text: str, figure: str, row: pd.Series | None = None) -> Finding:
    """Make a finding, with the p-value of a row."""
    p = float("nan") if row is None else float(row["p_adjusted"])
    return Finding(analysis, title, text, figure, p, row is not None and significant(row))


def _tested(frame: pd.DataFrame, quantity: str, alternative: str) -> pd.DataFrame:
    """Choose the rows of a quantity that are tests; where there are several methods, the HAC one."""
    chosen = frame[(frame["quantity"] == quantity) & (frame["alternative"] == alternative)]
    hac = chosen["method"].str.startswith(HAC_METHOD)
    return chosen[hac] if hac.any() else chosen


def _network(frame: pd.DataFrame) -> pd.Series:
    """Choose the row of the whole network."""
    return frame[frame["layer"].isna() & frame["subject"].isna()].iloc[0]


def _helping(frame: pd.DataFrame, split: str) -> Iterable[Finding]:
    """Speak of percent helping."""
    row = _network(_tested(frame, "percent_helping", "two-sided"))
    title, numbers = "How many parameters help", f"({interval_text(row, ' %')}; {test_text(row)} against one half)"
    if pd.isna(row["estimate"]):
        reason = "nothing moved the loss" if row["reason"] == NO_VALUES else row["reason"]
        yield _finding("helping", title, f"Percent helping has no value: {reason}.", "helping")
        return
    start = f"In an average iteration {plain(row['estimate'])} % of the parameters that moved the {split} loss helped"
    if pd.isna(row["p"]):
        end = f"; whether that differs from one half was not tested: {row['reason']}."
    else:
        end = f" {numbers}." if significant(row) else f" {numbers}: no evidence that it differs from one half."
    yield _finding("helping", title, start + end, "helping", row)
    yield from _efficiency(_network(_tested(frame, "efficiency", "two-sided")))
    yield from _parameters(frame)


def _efficiency(row: pd.Series) -> Iterable[Finding]:
    """Speak of net over gross."""
    if pd.isna(row["p"]):
        return
    verdict = "" if significant(row) else "; no evidence that helping and hurting do not cancel"
    text = (
        f"Of all helping and hurting, {plain(abs(row['estimate']))} % is left as net "
        f"{'help' if row['estimate'] < 0 else 'hurt'} (net over gross {signed(row['estimate'])} %, "
        f"{interval_text(row, ' %')}; {test_text(row)}{verdict})."
    )
    yield _finding("helping", "How much of it cancels", text, "layers", row)


def _parameters(frame: pd.DataFrame) -> Iterable[Finding]:
    """Speak of single parameters."""
    values = {row["quantity"]: row for _, row in frame[frame["layer"].isna()].iterrows()}
    median = values["percent_helping_parameter_median"]["estimate"]
    near = values["percent_of_parameters_helping_45_to_55"]["estimate"]
    if pd.isna(median):
        return
    top = values["top_1_percent_of_gross_lca"]["estimate"]
    text = (
        f"The median parameter helped in {plain(median)} % of the iterations in which it moved the loss, and "
        f"{plain(near)} % of the parameters in 45 to 55 %. The busiest 1 % of the parameters carry {plain(top)} % of "
        "all helping and hurting. (Descriptive: no test.)"
    )
    yield _finding("helping", "How often a parameter helps", text, "parameter_helping")


def _hurting(frame: pd.DataFrame, split: str) -> Iterable[Finding]:
    """Speak of layers that hurt, of those that help, and of the rest."""
    hurt = _tested(frame, "net_lca", "greater").dropna(subset=["layer"]).set_index("layer")
    help_ = _tested(frame, "net_lca", "less").dropna(subset=["layer"]).set_index("layer")
    hurting = [str(name) for name, row in hurt.iterrows() if significant(row)]
    helping = [str(name) for name, row in help_.iterrows() if significant(row)]
    for name, row in hurt.loc[hurting].iterrows():
        text = (
            f"Layer {name} hurt: it changed the {split} loss by {signed(row['estimate'])} "
            f"({interval_text(row)}; {test_text(row)})."
        )
        yield _finding("hurting", f"{name} hurts", text + _parts_text(frame, str(name)), "layers", row)
    if not hurting:
        yield _no_hurting(hurt)
    if helping:
        worst = help_.loc[helping].sort_values("p_adjusted").iloc[-1]
        bound = f"largest Holm p {p_text(worst['p_adjusted'])}"
        text = f"{len(helping)} of {len(help_)} layers helped ({listed(helping)}; {bound})."
        yield _finding("hurting", "Layers that help", text, "layers", worst)
    tested = hurt.index[hurt["p"].notna()]
    undecided = [str(name) for name in tested if name not in {*hurting, *helping}]
    if undecided:
        text = f"For {listed(undecided)} there is no evidence either way."
        yield _finding("hurting", "Undecided layers", text, "layers")
    yield from _untested(hurt)
    yield from _spans(frame[frame["quantity"] == "hurting_span"])
    yield from _units(_tested(frame, "unit_lca", "greater"))


def _parts_text(frame: pd.DataFrame, layer: str) -> str:
    """Say which part of the update carries a layer's loss change, where it was divided."""
    words = dict(zip(PARTS, ("momentum carried over", "weight decay", "fresh gradient"), strict=True))
    rows = frame[(frame["layer"] == layer) & frame["quantity"].isin(PARTS) & frame["p"].notna()]
    said = [f"{words[row['quantity']]} {signed(row['estimate'])} ({test_text(row)})" for _, row in rows.iterrows()]
    return f" Of this: {listed(said)}." if said else ""


def _spans(rows: pd.DataFrame) -> Iterable[Finding]:
    """Speak of the spans of training in which layers hurt."""
    if rows.empty:
        return
    spans = [f"{row['layer']} in {row['subject']} ({signed(row['estimate'])})" for _, row in rows.iterrows()]
    worst = rows.sort_values("p_adjusted").iloc[-1]
    text = f"Spans of training that hurt: {listed(spans)}; largest Holm p {p_text(worst['p_adjusted'])}."
    yield _finding("hurting", "Hurting spans", text, "layers", worst)


def _no_hurting(hurt: pd.DataFrame) -> Finding:
    """Say that no layer hurts significantly, and which of those that were tested comes nearest."""
    tested = hurt.dropna(subset=["p"])
    if tested.empty:
        reasons = hurt["reason"].unique() if len(hurt) else ["there are no layers"]
        because = f": {reasons[0]}" if len(reasons) == 1 else ""
        return _finding("hurting", "No layer was tested", f"No layer could be tested{because}.", "layers")
    row = tested.sort_values("p").iloc[0]
    among = "layer" if len(tested) == len(hurt) else "tested layer"
    text = (
        f"No evidence that any {among} hurt. The nearest, {row.name}, changed the loss by {signed(row['estimate'])} "
        f"({interval_text(row)}; {test_text(row)}: not significant)."
    )
    title = "No layer hurts" if len(tested) == len(hurt) else "No tested layer hurts"
    return _finding("hurting", title, text, "layers", row)


def _untested(hurt: pd.DataFrame) -> Iterable[Finding]:
    """Name the layers without a test, those first that changed the loss upwards most, with what each one did."""
    rows = hurt[hurt["p"].isna()].sort_values("estimate", ascending=False)
    if rows["reason"].nunique() == 1 and len(rows) == len(hurt):
        return  # said already
    still = (rows["estimate"] == 0) & (rows["reason"] == CONSTANT)
    if still.any():
        text = f"Never moved the loss: {listed(list(rows.index[still]))}."
        yield _finding("hurting", "Layers at rest", text, "layers")
    told = [
        f"{name}, which changed the loss by {signed(row['estimate'])} ({row['reason']})"
        for name, row in rows[~still].iterrows()
    ]
    if told:
        yield _finding("hurting", "Layers without a test", f"Not tested: {listed(told)}.", "layers")


def _units(frame: pd.DataFrame) -> Iterable[Finding]:
    """Count the neurons and channels that hurt."""
    tested = frame.dropna(subset=["p"])
    if tested.empty:
        return
    found = tested[tested["p_adjusted"] <= LEVEL]
    row = tested.sort_values("p").iloc[0]
    if found.empty:
        text = f"No evidence that any of {len(tested)} neurons or channels hurt (smallest {test_text(row)})."
    else:
        counts = found["layer"].value_counts()
        where = listed([f"{count} of {layer}" for layer, count in counts.items()])
        text = f"{len(found)} of {len(tested)} neurons or channels hurt ({where}; Benjamini–Hochberg at {LEVEL:g})."
    yield _finding("hurting", "Neurons and channels that hurt", text, "units", row)


def _oscillation(frame: pd.DataFrame) -> Iterable[Finding]:
    """Speak of oscillation and lag."""
    row = _network_of(frame, "percent_periodic_step")
    if row is None or pd.isna(row["estimate"]):
        reason = "the sampled series are missing or too short" if row is None else row["reason"]
        yield _finding("oscillation", "Oscillation", f"Oscillation was not tested: {reason}.", "spectra")
    else:
        middle = _network_of(frame, "median_period_step")
        known = middle is not None and pd.notna(middle["estimate"])
        typical = f", with a median period of {plain(middle['estimate'])} iterations" if known else ""  # type: ignore[index]
        text = (
            f"The steps of {plain(row['estimate'])} % of {row['n']} sampled parameters oscillate beyond AR(1) noise "
            f"(false discovery rate 5 %){typical}."
        )
        yield _finding("oscillation", "Oscillating steps", text, "spectra")
    yield from _lags(frame)


def _network_of(frame: pd.DataFrame, quantity: str) -> pd.Series | None:
    """Choose the network's row of a quantity, if there is one."""
    rows = frame[(frame["quantity"] == quantity) & frame["layer"].isna()]
    return None if rows.empty else rows.iloc[0]


def _lags(frame: pd.DataFrame) -> Iterable[Finding]:
    """Speak of the layers whose lag differs from the others', and of the momentum."""
    lag = frame[frame["quantity"] == "lag"].set_index("layer")
    rest = frame[(frame["quantity"] == "lag_minus_rest")].dropna(subset=["low"]).set_index("layer")
    apart = rest[rest["p_adjusted"] <= LEVEL]
    told = apart.iloc[:1] if len(rest) == 2 else apart  # of two layers, each is the other's rest
    for name, row in told.iterrows():
        own = lag.loc[[str(name)]].iloc[0]
        word = "behind" if row["estimate"] > 0 else "ahead of"
        text = (
            f"The steps of {name} follow its negative gradient by {plain(own['estimate'])} iterations "
            f"({interval_text(own)}): {plain(abs(row['estimate']))} {word} the other layers (difference "
            f"{signed(row['estimate'])}, {interval_text(row)}; {test_text(row)})."
        )
        yield _finding("oscillation", f"{name} lags differently", text, "lag", row)
    if apart.empty and len(rest):
        text = f"No evidence that any of {len(rest)} layers lags its gradient more or less than the others do."
        yield _finding("oscillation", "Lag", text, "lag")


_NULLS = (
    ("layers, circular", "independent layers"),
    ("layers, within", "layers that share only their slow course"),
    ("total, circular", "once each layer's share in the other layers' total is removed"),
    ("total, within", "once slow course and each layer's share in the other layers' total are removed"),
)


def _synchronization(frame: pd.DataFrame) -> Iterable[Finding]:
    """Speak of shared moments of learning."""
    whole = frame[(frame["quantity"] == "shared_peaks") & frame["subject"].isna()]
    tails = frame[frame["quantity"] == "shared_peaks_tail"].set_index("null")["p"].dropna()
    expected = frame[frame["quantity"] == "expected_shared_peaks"].set_index("null")["estimate"]
    told: list[str] = []
    for part, words in _NULLS:
        row = whole[whole["null"].str.contains(part, regex=False)].iloc[0]
        if pd.isna(row["estimate"]):
            if row["reason"] not in told:
                text = f"Synchrony was not tested: {row['reason']}."
                yield _finding("synchronization", "Shared moments of learning", text, "peaks")
            told.append(row["reason"])
            continue
        tail = f", tail approximation p {p_text(tails[row['null']])}" if row["null"] in tails else ""
        text = (
            f"Pairs of layers share one of their 20 deepest moments of learning {row['estimate']:.0f} times; "
            f"{plain(expected[row['null']])} are expected ({test_text(row)}{tail}): "
            f"{_verdict(words, significant(row))}."
        )
        yield _finding("synchronization", "Shared moments of learning", text, "peaks", row)


def _verdict(words: str, holds: bool) -> str:
    """Say what a test of synchrony means."""
    if words.startswith("once"):
        return f"they are synchronised even {words}" if holds else f"no evidence of synchrony {words}"
    return f"more often than {words} would" if holds else f"no evidence of more synchrony than {words} would show"
