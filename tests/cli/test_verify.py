"""``lca verify`` of several runs: one JSON list, all runs checked, and the worst exit code."""

import json

import pytest
from trajectory.made_runs import manifest, random_walk, tensor, write

from lca_analysis.cli.entry import main


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("good", "other", "damaged"):
        write(tmp_path / name, manifest([tensor("a.weight", (50,))]), [{"a.weight": w} for w in random_walk(50, 10)])
    file = tmp_path / "damaged" / "segments" / "000001.lcaseg"
    data = bytearray(file.read_bytes())
    data[-12] ^= 1
    file.write_bytes(data)
    (tmp_path / "notes").mkdir()


def verify(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["verify", *arguments])
    shown = capsys.readouterr()
    return ended.value.code, shown.out, shown.err


def test_json_of_any_number_of_runs_is_one_list(runs, capsys):
    code, out, _ = verify(capsys, "good", "--json")
    assert (code, [row["ok"] for row in json.loads(out)]) == (0, [True])
    code, out, _ = verify(capsys, "notes", "good", "damaged", "nowhere", "other", "--json")
    rows = {row["run"]: row for row in json.loads(out)}
    assert code == 5
    assert [row["ok"] for row in rows.values()] == [False, True, False, False, True]
    assert (rows["good"]["points"], rows["good"]["segments"]) == (10, 3)
    assert "000001.lcaseg" in rows["damaged"]["problems"][0]
    assert "iteration 7" in rows["damaged"]["problems"][0]
    assert "no run.json" in rows["notes"]["error"]
    assert "does not exist" in rows["nowhere"]["error"]


def test_the_exit_code_without_damage_is_that_of_the_first_that_did_not_open(runs, capsys):
    assert verify(capsys, "good", "other")[0] == 0
    code, out, err = verify(capsys, "good", "nowhere", "other")
    assert (code, out.count("ok "), out.count("yes")) == (3, 2, 2)
    assert err == "lca: error: nowhere does not exist; name a run folder\n"


def test_the_progress_names_the_run(runs, capsys, monkeypatch):
    monkeypatch.setattr("lca_analysis.cli.verify.progress_from", lambda quiet: not quiet)
    err = verify(capsys, "good", "other")[2]
    assert "verify good: 100%" in err
    assert "verify other: 100%" in err
    assert verify(capsys, "good", "--quiet")[2] == ""
