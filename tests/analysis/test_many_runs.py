"""Configurations over seeds and against each other: what is planted is found, what cannot be used is named."""

import json

import numpy as np
import pytest
from scipy import stats
from small_stores import LAYERS, finish, write_run

from lca_analysis.analysis import analyze, compare
from lca_analysis.cli.entry import main
from lca_analysis.errors import NotFoundError
from lca_analysis.store import Store, open_store

SEEDS = 8


@pytest.fixture(scope="module")
def drawn():
    """Net LCA of each seed and layer: the first helps, the last hurts by 0.3, and half as much where it is slowed."""
    random = np.random.default_rng(0)
    plain = np.column_stack([-2 + 0.1 * random.standard_normal(SEEDS), 0.3 + 0.1 * random.standard_normal(SEEDS)])
    slowed = plain * [1.0, 0.5] + 0.01 * random.standard_normal((SEEDS, 2))
    return {"plain": plain, "slowed": slowed}


@pytest.fixture(scope="module")
def store(tmp_path_factory, drawn):
    path = tmp_path_factory.mktemp("many")
    for group, created in (("plain", "2024-01-01"), ("slowed", "2024-01-02")):
        for seed, net in enumerate(drawn[group]):
            run = f"{group}-{seed}"
            opened = write_run(path, run, dict(zip(LAYERS, net, strict=True)), seed=seed, group=group, created=created)
    compare(opened)
    return opened


def _one(store, table, **conditions):
    rows = store.table(table, split="train")
    for name, value in conditions.items():
        rows = rows[rows[name].isna() if value is None else rows[name] == value]
    return rows


def test_layers_over_seeds_are_those_of_scipy(store, drawn):
    p = {}
    for place, layer in enumerate(LAYERS):
        rows = _one(store, "results_seeds", group="plain", quantity="net_lca", layer=layer, alternative="greater")
        t, sign = (rows[rows["method"].str.contains(word)].iloc[0] for word in ("mean", "sign test"))
        values = drawn["plain"][:, place]
        assert t["estimate"] == pytest.approx(values.mean())
        p[layer] = t["p"]
        assert t["p"] == pytest.approx(stats.ttest_1samp(values, 0, alternative="greater").pvalue)
        assert sign["estimate"] == pytest.approx(np.median(values))
        assert sign["p"] == pytest.approx(stats.binomtest(int((values > 0).sum()), SEEDS, alternative="greater").pvalue)
        assert "true level 0.035" in sign["method"]
        assert json.loads(t["runs"]) == [f"plain-{seed}" for seed in range(SEEDS)]
        assert t["replication"] == "runs"
        assert t["n"] == SEEDS
    assert t["p_adjusted"] == pytest.approx(2 * p["last"])  # Holm: the smaller of two
    assert t["p_adjusted"] < 0.001
    network = _one(store, "results_seeds", group="plain", quantity="net_lca", layer=None, alternative="less").iloc[0]
    assert network["p_adjusted"] == network["p"]


def test_losses_percentages_and_parts_over_seeds(store, drawn):
    loss = _one(store, "results_seeds", group="plain", quantity="loss_last").iloc[0]
    assert loss["estimate"] == pytest.approx(2 + drawn["plain"].sum(1).mean())
    assert np.isnan(loss["p"])
    helping = _one(store, "results_seeds", group="plain", quantity="percent_helping", layer="last")
    assert (helping["estimate"] == 75).all()
    assert helping["reason"].str.contains("constant").all()
    for part, factor in (("momentum", 2.0), ("gradient", -1.0)):
        row = _one(store, "results_seeds", group="plain", quantity=f"net_lca_{part}", layer="last").iloc[0]
        assert row["estimate"] == pytest.approx(factor * drawn["plain"][:, 1].mean())


def test_a_comparison_is_that_of_pairs(store, drawn):
    difference = drawn["slowed"] - drawn["plain"]
    for quantity, layer, values in (
        ("loss_last", None, difference.sum(1)),
        ("net_lca", "last", difference[:, 1]),
        ("net_lca", "first", difference[:, 0]),
    ):
        rows = _one(store, "results_comparison", quantity=quantity, layer=layer)
        t, ranks, sign = (rows[rows["method"].str.contains(word)].iloc[0] for word in ("mean", "Wilcoxon", "sign test"))
        assert t["estimate"] == pytest.approx(values.mean())
        assert t["estimate"] == pytest.approx(t["group_mean"] - t["baseline_mean"])
        assert t["p"] == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
        assert ranks["p"] == pytest.approx(stats.wilcoxon(values).pvalue)
        assert sign["p"] == pytest.approx(stats.binomtest(int((values > 0).sum()), SEEDS).pvalue)
        assert (rows["group"] == "slowed").all()
        assert (rows["baseline"] == "plain").all()
        assert json.loads(t["seeds"]) == list(range(SEEDS))
    last = _one(store, "results_comparison", quantity="net_lca", layer="last").iloc[0]
    assert last["p_adjusted"] < 0.05
    effect = _one(store, "results_comparison", quantity="net_lca_effect_size", layer="last").iloc[0]
    assert effect["high"] < 0


def test_every_row_has_a_number_or_a_reason(store):
    for table in ("results_seeds", "results_comparison"):
        rows = store.table(table)
        assert (rows["estimate"].notna() | rows["reason"].notna()).all()
        assert (rows["p"].notna() | rows["reason"].notna() | rows["null"].isna() | rows["statistic"].isna()).all()
        assert (rows["p"].isna() | (rows["p_adjusted"] >= rows["p"])).all()


def test_another_baseline_and_another_order(store):
    assert [one.baselines for one in compare(store, baseline="slowed")] == [{"plain": "slowed"}]
    rows = _one(store, "results_comparison", quantity="loss_last", group="plain")
    assert (rows["estimate"].dropna() > 0)[rows["method"].str.contains("mean over runs")].all()
    compare(store)
    with pytest.raises(NotFoundError, match=r"no configuration 'fast'; it has: 'plain', 'slowed'"):
        compare(store, baseline="fast")
    with pytest.raises(NotFoundError, match="no split 'test'"):
        compare(store, split="test")


def _eight(path, **changes) -> Store:
    for seed in range(SEEDS):
        opened = write_run(path, f"plain-{seed}", {"first": -2 - 0.1 * seed, "last": 0.1 * (seed + 1)}, seed=seed)
    write_run(opened, "odd", {"first": -9.0, "last": -9.0}, **({"seed": 99} | changes))
    return opened


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"iterations": 3}, "odd (it has 3 iterations, most of the group have 4)"),
        ({"seed": 3}, "plain-3 (it has the same seed as odd)"),
        ({"net": {"first": float("nan"), "last": 1.0}}, "odd (its loss or loss change is not finite"),
        ({"problem": "other"}, "plain-7 (it trains toy width=3, others of the group other width=3)"),
    ],
)
def test_a_run_that_cannot_be_used_is_named(tmp_path, changes, told):
    if "net" in changes:
        opened = _eight(tmp_path)
        write_run(opened, "odd", changes["net"], seed=99)
    else:
        opened = _eight(tmp_path, **changes)
    [found] = compare(opened)
    assert told in found.notes[0]
    rows = opened.table("results_seeds")
    assert rows["note"].str.contains("left out: ").all()
    assert not any("odd" in json.loads(runs) for runs in rows["runs"]) or changes.keys() & {"seed", "problem"}


def test_damaged_and_unfinished_runs_are_named(tmp_path):
    opened = _eight(tmp_path)
    opened.remove("odd", "train", ["computations"])
    next(file for values, file in opened.files("layers") if values["run"] == "plain-0").write_bytes(b"no parquet")
    [found] = compare(opened)
    assert "odd (it is not computed to its end for train)" in found.notes[0]
    assert "is damaged" in found.notes[0]
    assert found.groups == {"plain": SEEDS - 1}


def test_bounded_and_imported_runs_are_used_and_named(tmp_path):
    opened = write_run(tmp_path, "a", {"last": 1.0}, seed=0, lossless=False)
    write_run(opened, "b", {"last": 2.0}, seed=1, source="weights.h5")
    write_run(opened, "c", {"last": 4.0}, seed=None, cautions='["distant points"]')
    [found] = compare(opened)
    assert found.groups == {"plain": 3}
    assert "a (it was recorded with a bounded error)" in found.notes[0]
    assert "b (it was imported from weights.h5)" in found.notes[0]
    assert "c (distant points; its seed is unknown" in found.notes[0]


@pytest.mark.parametrize("runs", [1, 2])
def test_one_seed_and_two_have_a_reason(tmp_path, runs):
    for seed in range(runs):
        for group in ("a", "b"):
            opened = write_run(tmp_path, f"{group}{seed}", {"last": 1.0 + seed * 0.5}, seed=seed, group=group)
    compare(opened)
    for table in ("results_seeds", "results_comparison"):
        rows = opened.table(table)
        assert rows["p"].isna().all()
        assert rows[rows["null"].notna()]["reason"].notna().all()


def test_seeds_without_a_partner_are_named(tmp_path):
    for seed in range(4):
        opened = write_run(tmp_path, f"a{seed}", {"last": 1.0 + seed}, seed=seed, group="a")
        write_run(opened, f"b{seed}", {"last": 1.5 + seed * seed}, seed=seed + 1, group="b")
    compare(opened, baseline="a")
    row = opened.table("results_comparison").iloc[0]
    assert row["n"] == 3
    assert json.loads(row["seeds"]) == [1, 2, 3]
    assert "without a partner of the same seed: b3" in row["note"]
    assert "without a partner of the same seed: a0" in row["note"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"problem": "other"}, "it trains other width=3, the baseline toy width=3"),
        ({"iterations": 5}, "the runs have 4 and 5 iterations"),
        ({"shift": 50}, "no run of it shares its seed"),
    ],
)
def test_what_cannot_be_compared_says_why(tmp_path, changes, reason):
    shift = changes.pop("shift", 0)
    for seed in range(3):
        opened = write_run(tmp_path, f"a{seed}", {"last": 1.0 + seed}, seed=seed, group="a")
        write_run(opened, f"b{seed}", {"last": 1.5 + seed}, seed=seed + shift, group="b", **changes)
    compare(opened, baseline="a")
    rows = opened.table("results_comparison")
    assert len(rows) == 1
    assert reason in rows["reason"].iloc[0]


def test_layers_that_differ_are_named(tmp_path):
    for seed in range(3):
        opened = write_run(tmp_path, f"a{seed}", {"same": 1.0 + seed, "old": 1.0 + seed}, seed=seed, group="a")
        write_run(opened, f"b{seed}", {"same": 2.0 + seed**2, "new": 2.0}, seed=seed, group="b")
    compare(opened, baseline="a")
    rows = opened.table("results_comparison", quantity="net_lca").set_index("layer")
    assert rows.loc["same", "estimate"].notna().all()
    assert (rows.loc["old", "reason"] == "b has no layer old").all()
    assert (rows.loc["new", "reason"] == "a has no layer new").all()


def test_runs_without_a_group_stand_alone(tmp_path):
    opened = write_run(tmp_path, "mine", {"last": 1.0}, group=None)
    assert compare(opened)[0].groups == {"mine": 1}


def test_analyze_does_it_too_and_tables_are_kept_by_split(tmp_path):
    opened = write_run(tmp_path, "one", {"last": 1.0})
    analyze(opened, run="one", progress=False)
    assert not opened.files("results_seeds")
    analyze(opened, progress=False)
    [(values, _)] = opened.files("results_seeds")
    assert values == {"split": "train"}
    assert opened.runs() == ["one"]
    opened.remove("one")
    assert opened.files("results_seeds")
    finish(opened, "two", 4)


def test_command_line(store, capsys, tmp_path):
    for arguments, code, text in (
        (["compare", str(store.path)], 0, "train: slowed: 8 runs, compared with plain"),
        (["compare", str(store.path), "--json"], 0, '"baselines"'),
        (["compare", str(store.path), "--baseline", "fast"], 3, "no configuration 'fast'"),
        (["compare", str(tmp_path)], 3, "lca compute"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == code
        captured = capsys.readouterr()
        assert text in captured.out + captured.err
    assert open_store(store.path).table("results_comparison", split="train").shape[0] > 0
