"""Places that cannot be read or written: one line that says where, why, and what to do."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from report import made_up

from lca_analysis.cli.entry import main
from lca_analysis.errors import explain
from lca_analysis.store import open_store

RUN = Path(__file__).parents[2] / "data" / "digits_mlp"
KNOWN = {
    errno.EACCES: "permission",
    errno.EROFS: "can be written to",
    errno.EISDIR: "move it away",
    errno.ENOSPC: "make room",
}


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """A file, stores that are empty, not computed, and fit for a report, and a run with a folder for its manifest."""
    monkeypatch.chdir(tmp_path)
    Path("afile").write_text("nothing to see")
    open_store("bare", create=True)
    row = {
        "run_id": "0" * 32, "path": "run", "problem": "toy", "arguments": "{}", "parameters": 8, "tensors": 2,
        "iterations": 4, "optimizer": "SGD", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.0, "seed": 0,
        "group": "plain", "tags": "{}", "lossless": True, "preset": "small", "every": 1, "complete": True,
        "created": "2024-01-01", "versions": "{}",
    }  # fmt: skip
    open_store("uncomputed", create=True).write_part("runs", {name: [value] for name, value in row.items()}, "run")
    made_up.write_store(Path("made"), 3)
    shutil.copytree(RUN, "odd")
    Path("odd/run.json").unlink()
    Path("odd/run.json").mkdir()


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("report made --out afile", 9, "afile: File exists; something stands in the way; name another place"),
        ("report made --out afile/x", 9, "afile/x: Not a directory; a file stands where a folder is needed"),
        ("animate bare --out afile/x.gif", 9, "afile: File exists"),
        ("animate bare", 3, "bare has no runs; compute one with: lca compute"),
        ("animate uncomputed", 3, "the run 'run' in uncomputed was not computed; run: lca compute"),
        ("report uncomputed", 3, "run: lca compute"),
        ("batch odd --out afile", 9, "afile: File exists"),
        ("info odd", 9, "odd/run.json: Is a directory; a folder stands where a file is needed; move it away"),
        (f"train digits_mlp {'x' * 300}", 9, "File name too long; give a shorter name"),
    ],
)
def test_places_that_do_not_do(capsys, line, code, said):
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    shown = capsys.readouterr().err.strip()
    assert said in shown
    assert shown.startswith("lca: error: ")
    assert "\n" not in shown
    assert ended.value.code == code


@pytest.mark.parametrize("number", KNOWN)
def test_the_disk_s_errors_say_where_and_what_to_do(number):
    reason, code = explain(OSError(number, os.strerror(number), "some/file"))
    assert code == 9
    assert reason.startswith(f"some/file: {os.strerror(number)}; ")
    assert KNOWN[number] in reason
