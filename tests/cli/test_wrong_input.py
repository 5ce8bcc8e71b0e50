"""Wrong input gives one clear line and the documented exit code: a table of cases."""

import json
import shutil
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lca_analysis import errors
from lca_analysis.cli.entry import main

USER_CODE = """
import torch
import lca_analysis as lca

def problem(width=4, value=0.0):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, width), torch.nn.Linear(width, 2))
    inputs = torch.arange(30.0).reshape(10, 3) / 30 + value
    targets = torch.arange(10) % 2
    return lca.Problem(model, torch.nn.CrossEntropyLoss(reduction="none"), {"train": (inputs, targets)}, 5)

def no_problem():
    return 3

def fails():
    raise RuntimeError("no luck")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run of the user's own problem, its store, and broken things beside them."""
    root = tmp_path_factory.mktemp("wrong")
    (root / "mine.py").write_text(USER_CODE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert run("train", "mine.py:problem", "run", "--iterations", "6", "--batch-size", "5") == 0
        assert run("compute", "run", "--store", "store", "--workers", "1") == 0
    _make_broken(root)
    return root


def _make_broken(root):
    (root / "empty").mkdir()
    (root / "foreign").mkdir()
    (root / "foreign" / "notes.txt").write_text("nothing to see")
    (root / "foreign" / "run.json").write_text('{"hello": 1}')
    shutil.copytree(root / "run", root / "newer")
    manifest = json.loads((root / "newer" / "run.json").read_text())
    (root / "newer" / "run.json").write_text(json.dumps(manifest | {"format_version": 99}))
    shutil.copytree(root / "run", root / "damaged")
    segment = next((root / "damaged" / "segments").iterdir())
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 255
    segment.write_bytes(data)
    shutil.copytree(root / "store", root / "newer_store")
    (root / "newer_store" / "store.json").write_text(json.dumps({"format": "lca-store", "format_version": 99}))
    shutil.copytree(root / "store", root / "damaged_store")
    part = next((root / "damaged_store" / "layers").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    _make_short_run(root)
    _make_checkpoints(root)


def _make_checkpoints(root):
    import torch

    contents = {
        "checkpoints": [{"w": torch.ones(2)}, {"w": torch.full((2,), 1.001)}],
        "mixed": [{"w": torch.ones(2)}, {"w": torch.ones(3)}],
        "pickled": [torch.nn.Linear(2, 2)],
    }
    for name, checkpoints in contents.items():
        (root / name).mkdir()
        for number, content in enumerate(checkpoints):
            torch.save(content, root / name / f"{number}.pt")
    for name, content in {"no_torch": b"hello world", "nothing": b"", "cut_off": b"PK\x03\x04 and no more"}.items():
        (root / name).mkdir()
        (root / name / "0.pt").write_bytes(content)
    (root / "garbage").mkdir()
    (root / "garbage" / "run.json").write_text("{{{")
    (root / "broken").mkdir()
    (root / "broken" / "0.safetensors").write_bytes(b"hello")


def _make_short_run(root):
    """A run that was killed before its first step: the keyframe alone."""
    import torch

    import lca_analysis as lca

    recorder = lca.Recorder(root / "short", torch.nn.Linear(2, 1)).start()
    recorder.close()


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    return ended.value.code


CASES = {
    "no verb of that name": ("frobnicate", 2, "No such command"),
    "missing run": ("info nowhere", 3, "does not exist"),
    "missing run, compute": ("compute nowhere --store s", 3, "does not exist"),
    "missing run, verify": ("verify nowhere", 3, "does not exist"),
    "folder without manifest": ("compute empty --store s", 3, "run.json"),
    "foreign folder": ("compute foreign --store s", 4, "not the manifest of a run"),
    "neither run nor store": ("info empty", 4, "neither a run"),
    "newer run": ("compute newer --store s", 4, "newer"),
    "damaged run": ("compute damaged --store s --workers 1", 5, "iteration"),
    "unknown problem": ("train mnist_fx run2", 3, "mnist_fc"),
    "missing problem file": ("compute run --store s --problem no.py:problem", 3, "no file"),
    "missing function": ("compute run --store s --problem mine.py:nothing", 3, "no function"),
    "function gives no problem": ("compute run --store s --problem mine.py:no_problem", 2, "not a Problem"),
    "function fails": ("compute run --store s --problem mine.py:fails", 2, "no luck"),
    "not a problem at all": ("compute run --store s --problem os:getcwd", 6, "os:getcwd"),
    "wrong argument": ("compute run --store s --problem mine.py:problem --arg depth=3", 2, "depth"),
    "argument without value": ("compute run --store s --problem mine.py:problem --arg depth", 2, "NAME=VALUE"),
    "wrong model": ("compute run --store s --problem mine.py:problem --arg width=5", 6, "shape"),
    "wrong problem": ("compute run --store s --problem digits_mlp", 6, "recorded"),
    "other data": ("compute run --store s --problem mine.py:problem --arg value=1.0", 6, "data"),
    "unknown split": ("compute run --store s --split test", 3, "train"),
    "unknown rule": ("compute run --store s --rule midnight", 2, "simpson"),
    "other settings": ("compute run --store store --tolerance 0.5", 6, "tolerance"),
    "no step recorded": ("compute short --store s --problem mine.py:problem", 7, "no step"),
    "zero iterations": ("train mine.py:problem run3 --iterations 0", 2, "iterations"),
    "batch larger than data": ("train mine.py:problem run4 --batch-size 99", 2, "99"),
    "run folder in use": ("train mine.py:problem run --batch-size 5", 2, "already"),
    "folder in use by something else": ("train mine.py:problem foreign --batch-size 5 --overwrite", 2, "foreign"),
    "CIFAR without data": ("train cifar_resnet20 run5", 2, "data_batch_1.bin"),
    "CIFAR folder empty": ("train cifar_resnet20 run6 --data empty", 3, "data_batch_1.bin"),
    "MNIST folder empty": ("train mnist_fc run7 --data empty", 3, "train-images"),
    "missing store": ("tables nowhere", 3, "nowhere"),
    "newer store": ("tables newer_store", 4, "newer"),
    "store that is none": ("tables foreign", 4, "foreign"),
    "unknown table": ("tables store layerz", 3, "layers"),
    "unknown run in store": ("tables store layers --run other", 3, "other"),
    "unknown column": ("tables store layers --columns lca,nothing", 2, "nothing"),
    "damaged table": ("tables damaged_store layers", 5, ".parquet"),
    "nothing analysed": ("report store --out report", 3, "lca analyze"),
    "import nothing": ("import nowhere new", 3, "nowhere does not exist"),
    "import empty folder": ("import empty new", 3, "holds no checkpoints"),
    "import text": ("import mine.py new", 4, "no HDF5 file"),
    "import over a run": ("import checkpoints run", 2, "already holds a run"),
    "import over a folder": ("import checkpoints checkpoints", 2, "not empty and not a run"),
    "import pattern": ("import checkpoints new --pattern x{iteration}", 3, "no checkpoint fits"),
    "import pattern for HDF5": ("import mine.py new --pattern x", 2, "--pattern is not for HDF5 files"),
    "import rows of a folder": ("import checkpoints new --every 0", 2, "--every is not for folders"),
    "import flatten shape": ("import mine.py new --flatten-shape 7x7", 2, "--flatten-shape takes"),
    "import every": ("import mine.py new --every 0", 2, "every must be 1 or more"),
    "import other tensors": ("import mixed new_mixed", 6, "1.pt: tensor 'w'"),
    "import pickle": ("import pickled new", 4, "would run code"),
    "import damaged": ("import broken new", 5, "is damaged"),
    "import no torch file": ("import no_torch new", 4, "0.pt is no torch file: it begins with b'hell'"),
    "import empty torch file": ("import nothing new", 5, "0.pt is empty"),
    "import truncated torch file": ("import cut_off new", 5, "damaged or cut off"),
    "import URL": ("import s3://bucket/folder new", 2, "imported from local files"),
    "import to a URL": ("import checkpoints s3://bucket/run", 2, "local folders"),
    "train to a URL": ("train mine.py:problem s3://bucket/run --batch-size 5", 2, "local folders"),
    "train below a file": ("train mine.py:problem mine.py/run --batch-size 5", 2, "is a file"),
    "train over a store": ("train mine.py:problem store --batch-size 5 --overwrite", 2, "not a run"),
    "info garbage": ("info garbage", 4, "put the file back from a copy"),
    "info file": ("info mine.py", 4, "neither a run"),
    "info unknown protocol": ("info foo://x", 2, "foo"),
    "verify store": ("verify store", 3, "store has no run.json"),
    "verify file": ("verify mine.py", 4, "is a file"),
    "verify garbage": ("verify garbage", 4, "not the manifest"),
    "import arg alone": ("import checkpoints new --arg a=1", 2, "--arg goes with --problem"),
    "analyze unknown run": ("analyze store --run other", 3, "other"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_the_documented_code(case, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    command, code, words = CASES[case]
    assert run(*command.split()) == code, capsys.readouterr()
    shown = capsys.readouterr().err.strip()
    assert words in shown
    assert "Traceback" not in shown
    if code != 2 or "error: " in shown:
        assert shown.splitlines()[-1].startswith(("lca: error: ", "Error: "))


def test_loss_that_is_not_finite_stops_training_and_keeps_the_run(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    training = ["--lr", "1e30", "--batch-size", "5", "--iterations", "50", "--momentum", "0"]
    assert run("train", "mine.py:problem", "diverged", *training) == errors.NumericalError.exit_code
    assert "minibatch loss" in capsys.readouterr().err
    assert run("info", "diverged") == 0
    assert run("compute", "diverged", "--store", "diverged_store", "--workers", "1") == 7


def test_an_import_says_what_it_did_and_info_what_it_is(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert run("import", "checkpoints", "imported", "--problem", "mine.py:problem", "--arg", "width=3") == 0
    assert "exact to the bit, as float32; go on with: lca compute imported --store store\n" in capsys.readouterr().out
    assert run("info", "imported", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["source"], facts["problem"]) == ("checkpoints (torch)", "mine.py:problem")
    assert facts["problem_arguments"] == {"width": 3}
    assert run("import", "checkpoints", "imported", "--overwrite", "--json") == 0
    assert json.loads(capsys.readouterr().out)["iterations"] == 1


def test_an_interrupted_import_is_readable(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    from lca_analysis.trajectory.importing import copying

    def interrupted(self, weights):
        raise KeyboardInterrupt

    monkeypatch.setattr(copying.StepSizes, "add", interrupted)
    assert run("import", "checkpoints", "cut") == 130
    assert "begins anew with --overwrite" in capsys.readouterr().err
    assert run("info", "cut", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["complete"], facts["last_iteration"]) == (False, 0)


@pytest.mark.parametrize(
    "command",
    [
        ["info", ""],
        ["verify", ""],
        ["import", "", "new"],
        ["import", "checkpoints", ""],
        ["train", "mine.py:problem", ""],
    ],
)
def test_an_empty_path_is_said(command, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    options = ["--batch-size", "5"] if command[0] == "train" else []
    code = run(*command, *options)
    assert (code, "Traceback" in capsys.readouterr().err) == (2, False)


def test_every_error_class_is_documented():
    from pathlib import Path

    documented = (Path(__file__).parents[2] / "docs" / "exit_codes.md").read_text()
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not errors.LcaError]
    for kind in classes:
        assert f"| {kind.exit_code} |" in documented
        assert f"`{kind.__name__}`" in documented


def test_a_bug_is_one_line_too(monkeypatch, capsys, folder):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("lca_analysis.trajectory.open_run", lambda path: struct.unpack("<I", b""))
    assert run("info", "run") == 1
    shown = capsys.readouterr().err
    assert "unexpected error" in shown or "unexpected" in shown
    assert "--debug" in shown
    assert run("--debug", "info", "run") == 1
    assert "Traceback" in capsys.readouterr().err


def test_parquet_is_what_others_read(folder):
    assert isinstance(pq.read_table(folder / "store" / "layers"), pa.Table)
