"""Many runs: what is broken is named and stops nothing, and what is done is not done again."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from batches.few_figures import process_with_few_figures

import lca_analysis as lca
from lca_analysis.batches import pool
from lca_analysis.batches.outcome import Outcome
from lca_analysis.cli.entry import main
from lca_analysis.errors import ArgumentError, NotFoundError

ALL = ("compute", "analyze", "report")


def truncate(run):
    """Cut a segment in its middle that others follow."""
    segment = run / "segments" / "000001.lcaseg"
    segment.write_bytes(segment.read_bytes()[: segment.stat().st_size // 2])


def other_data(run):
    """Pretend that a run was recorded with other data."""
    manifest = json.loads((run / "run.json").read_text())
    manifest["problem"]["fingerprints"]["train"] = "0" * 64
    (run / "run.json").write_text(json.dumps(manifest))


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def stamps(*folders):
    """When each file of a store's tables and of the reports was written."""
    return {
        str(file): file.stat().st_mtime_ns
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file() and file.suffix in {".parquet", ".html", ".png", ".svg"} and "summary" not in file.name
    }


@pytest.fixture
def few_figures(monkeypatch):
    monkeypatch.setattr(pool, "process_run", process_with_few_figures)


def go(folder, runs, **settings):
    # More workers than runs would start processes within each run.
    return lca.batch(runs, folder / "store", folder / "out", progress=False, **{"workers": 2, **settings})


def test_twelve_runs_two_broken(runs_of, tmp_path, capsys):
    runs = runs_of(12)
    truncate(runs / "run03")
    other_data(runs / "run07")
    arguments = ["batch", str(runs), "--store", str(tmp_path / "store"), "--out", str(tmp_path / "out"), "--quiet"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 10
    said = capsys.readouterr()
    assert "10 reported, 2 failed" in said.out
    assert "run03 failed at open: " in said.err
    assert "run07 failed at compute: " in said.err
    table = pd.read_parquet(tmp_path / "out" / "summary.parquet")
    failed = table[table["status"] == "failed"].set_index("run")
    assert list(failed.index) == ["run03", "run07"]
    assert "ends at iteration 13: points between are missing" in failed.loc["run03", "reason"]
    assert "is not the data that the run was recorded with" in failed.loc["run07", "reason"]
    assert dict(failed["exit_code"]) == {"run03": 5, "run07": 6}
    done = table[table["status"] == "done"]
    assert all((tmp_path / "out" / page).is_file() for page in done["page"])
    assert len(done) == 10
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "summary.csv"), table, check_dtype=False)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "12 runs, 2 failed" in page
    assert "is not the data that the run was recorded with" in page
    assert page.count('<a href="run') == 10
    assert '<a href="comparison.html">' in page
    assert (tmp_path / "out" / "comparison.html").is_file()

    parts = [tmp_path / "store", tmp_path / "out" / "run00", tmp_path / "out" / "comparison"]
    before = stamps(*parts)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 10
    assert "10 of 12 runs were up to date; nothing was done" in capsys.readouterr().out
    assert stamps(*parts) == before


def test_the_comparison_follows_the_runs(few_figures, runs_of, tmp_path):
    runs = runs_of(3)
    page, store = tmp_path / "out" / "comparison.html", tmp_path / "store"
    go(tmp_path, runs / "run00", splits=["validation"])
    assert not page.exists()
    assert lca.open_store(store).files("results_seeds")
    before = [file.stat().st_mtime_ns for file in store.glob("results_seeds/**/*.parquet")]
    go(tmp_path, runs / "run00", splits=["validation"])
    assert [file.stat().st_mtime_ns for file in store.glob("results_seeds/**/*.parquet")] == before
    go(tmp_path, [runs / "run00", runs / "run01"], splits=["validation"])
    first = page.read_bytes()
    assert b", validation <span>" in first
    page.unlink()
    result = go(tmp_path, [runs / "run00", runs / "run01"], splits=["validation"])
    assert result.did_nothing
    assert page.read_bytes() == first
    before = page.stat().st_mtime_ns
    go(tmp_path, runs, splits=["validation"])
    assert page.stat().st_mtime_ns > before
    assert (tmp_path / "out" / "comparison" / "results_seeds.parquet").is_file()


def test_killed_half_way_it_goes_on_without_doing_anything_again(few_figures, runs_of, tmp_path):
    runs = runs_of(3)
    code = (
        "from batches.few_figures import process_with_few_figures as few\n"
        "from lca_analysis.batches import pool\nfrom lca_analysis.cli.entry import main\n"
        "if __name__ == '__main__':\n    pool.process_run = few\n    main()"
    )
    command = [sys.executable, "-c", code, "batch", str(runs), "--workers", "1", "--quiet"]
    folders = ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen([*command, *folders], start_new_session=True, env=environment)
    deadline = time.monotonic() + 120
    # The next run begins once the first one is marked as done.
    while not (tmp_path / "store" / "layers" / "run=run01").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = stamps(tmp_path / "store" / "layers" / "run=run00", tmp_path / "out" / "run00")
    assert finished
    assert not (tmp_path / "out" / "run02").exists()
    result = go(tmp_path, runs)
    assert not result.failed
    assert {outcome.run: outcome.did for outcome in result.outcomes}["run00"] == ()
    assert {outcome.run: outcome.did for outcome in result.outcomes}["run02"] == ALL
    assert stamps(tmp_path / "store" / "layers" / "run=run00", tmp_path / "out" / "run00") == finished
    whole = lca.batch(runs, tmp_path / "store2", tmp_path / "out2", progress=False, workers=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "out2")
    assert [outcome.did for outcome in whole.outcomes] == [ALL] * 3


def test_only_what_is_stale_is_done_again(few_figures, runs_of, tmp_path):
    runs = runs_of(1)
    did = lambda splits=("validation",), **settings: (  # noqa: E731
        go(tmp_path, runs, splits=splits, workers=1, **settings).outcomes[0].did
    )
    assert did() == ALL
    assert did() == ()
    assert did(seed=1) == ("analyze", "report")
    (tmp_path / "out" / "run00" / "figures" / "loss.svg").unlink()
    assert did(seed=1) == ("report",)
    next((tmp_path / "store" / "results_peaks").rglob("*.parquet")).unlink()
    assert did(seed=1) == ("analyze", "report")
    assert did(seed=1, peak_tolerance=1, spans=4) == ("analyze", "report")
    assert did(seed=1, peak_tolerance=1, spans=4) == ()
    assert did(seed=1, tolerance=1e-4) == ALL
    rule = lca.open_store(tmp_path / "store").table("computations", run="run00")["tolerance"]
    assert set(rule) == {1e-4}
    next((tmp_path / "store" / "layers").rglob("*.parquet")).unlink()
    assert did(seed=1, tolerance=1e-4, splits=["train"]) == ALL
    assert lca.open_store(tmp_path / "store").splits("run00") == ["train"]


def test_what_was_computed_by_hand_is_used_and_never_deleted(few_figures, runs_of, tmp_path):
    runs = runs_of(2)
    lca.compute(runs / "run00", tmp_path / "store", progress=False)
    lca.compute(runs / "run01", tmp_path / "store", progress=False, rule="euler")
    before = stamps(tmp_path / "store")
    used, refused = go(tmp_path, runs).outcomes
    assert used.did == ALL
    assert (refused.stage, refused.exit_code) == ("compute", 6)
    assert "rule" in refused.reason
    after = stamps(tmp_path / "store")
    assert {file: after[file] for file in before} == before


def test_runs_of_the_same_name_are_refused_and_the_others_go_on(few_figures, runs_of, tmp_path):
    result = go(tmp_path, [runs_of(1, "a"), runs_of(2, "b")])
    assert [(outcome.run, outcome.stage) for outcome in result.outcomes] == [
        ("run00", "open"), ("run00", "open"), ("run01", ""),
    ]  # fmt: skip
    assert "rename" in result.outcomes[0].reason


def test_a_batch_file_gives_defaults_and_settings_by_run(few_figures, runs_of, tmp_path, monkeypatch):
    runs_of(3)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "batch.toml").write_text(
        'runs = ["runs/*"]\nstore = "s"\nout = "o"\n[defaults]\nsplits = ["validation"]\nseed = 3\n'
        '[[run]]\npath = "runs/run01"\nrule = "euler"\n'
    )
    result = lca.batch("batch.toml", progress=False)
    assert not result.failed
    rules = lca.open_store("s").table("computations").set_index("run")["rule"]
    assert dict(rules) == {"run00": "adaptive", "run01": "euler", "run02": "adaptive"}
    assert lca.open_store("s").splits() == ["validation"]
    assert result.page.is_file()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("runs = [", "is not TOML"),
        ('runs = ["runs/*"]\nstroe = "s"', "stroe"),
        ('runs = ["runs/*"]\n[defaults]\ntoleranse = 1', "there is no setting 'toleranse'"),
        ('runs = ["runs/*"]\n[defaults]\ntolerance = "small"', "defaults: tolerance: Expected `float`, got `str`\n"),
        ('runs = ["runs/*"]\n[defaults]\nrule = "magic"', "gauss4\n"),
        ('runs = ["nothing/*"]', "no folder matches"),
        ("store = 's'", "names no runs"),
        ("[[run]]\nrule = 'paper'", "path"),
        ("run = 3", "run"),
    ],
)
def test_a_wrong_batch_file_is_one_line(runs_of, tmp_path, monkeypatch, capsys, text, said):
    runs_of(1)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "batch.toml").write_text(text)
    with pytest.raises(SystemExit) as ended:
        main(["batch", "batch.toml"])
    assert ended.value.code in {2, 3, 4}
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "store").exists()


def test_settings_beside_a_batch_file_and_unknown_ones_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="give it alone"):
        lca.batch("batch.toml", rule="euler")
    with pytest.raises(ArgumentError, match="no setting 'rul'"):
        lca.batch(tmp_path, rul="euler")
    with pytest.raises(NotFoundError, match="no batch file"):
        lca.batch(tmp_path / "batch.toml")
    with pytest.raises(ArgumentError, match="workers"):
        lca.batch(tmp_path, workers=-1)


def die_or_not(job, store, out, workers=1):
    if job.path.endswith("run01"):
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(job.path, job.path[-5:], ALL)


def test_a_run_whose_process_dies_takes_no_other_with_it(runs_of, tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "process_run", die_or_not)
    plan = pool.Plan([pool.Job(str(path), None) for path in sorted(runs_of(4).iterdir())], "store", "out")
    outcomes = {outcome.path[-5:]: outcome for outcome in pool.carry_out(plan, plan.jobs, 2)}
    assert len(outcomes) == 4
    assert [run for run, outcome in sorted(outcomes.items()) if outcome.failed] == ["run01"]
    assert "its process died" in outcomes["run01"].reason
