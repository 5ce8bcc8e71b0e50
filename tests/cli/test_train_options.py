"""The options of ``lca train`` for single layers and for repeats."""

import json

import pytest

from lca_analysis.cli.entry import main
from lca_analysis.cli.layer_options import interventions_from, seeds_from
from lca_analysis.errors import ArgumentError
from lca_analysis.problems import Intervention
from lca_analysis.trajectory import open_run


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", [3]), ("0-2", [0, 1, 2]), ("0,2,5-7", [0, 2, 5, 6, 7]), ("1,1, 0-1", [1, 0])]
)
def test_seeds(text, seeds):
    assert seeds_from(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "0-", "0-10000", "1.5"])
def test_seeds_of_another_form_are_refused(text):
    with pytest.raises(ArgumentError, match="--seeds takes numbers and ranges"):
        seeds_from(text)


def test_the_options_of_a_layer_become_one_intervention():
    found = interventions_from(("fc1@3", "block.fc2@30"), ("fc3=0.01",), ("fc3=0",), ("fc1=4",))
    assert found == (
        Intervention("fc1", freeze_from=3, delay=4),
        Intervention("block.fc2", freeze_from=30),
        Intervention("fc3", learning_rate=0.01, momentum=0.0),
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((("fc1@x",), (), (), ()), "--freeze takes LAYER or LAYER@ITERATION, not 'fc1=x'"),
        (((), ("fc1",), (), ()), "--layer-lr takes LAYER=NUMBER, not 'fc1'"),
        (((), (), ("=3",), ()), "--layer-momentum takes LAYER=NUMBER"),
        (((), (), (), ("fc1=1.5",)), "--delay takes LAYER=NUMBER"),
        ((("fc1", "fc1@3"), (), (), ()), "--freeze is given twice for layer 'fc1'"),
    ],
)
def test_options_of_another_form_are_refused(given, message):
    with pytest.raises(ArgumentError, match=message):
        interventions_from(*given)


def test_repeats_and_interventions_from_the_command_line(tmp_path, capsys):
    command = [
        "train",
        "digits_mlp",
        str(tmp_path / "runs"),
        "--iterations",
        "3",
        "--seeds",
        "0,4",
        "--freeze",
        "fc3@1",
    ]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--layer-lr", "fc1=0.01", "--quiet"])
    assert ended.value.code == 0
    runs = {seed: open_run(tmp_path / "runs" / f"seed-{seed}") for seed in (0, 4)}
    for seed, run in runs.items():
        assert run.manifest.seeds == {"train": seed, "model": seed}
        assert run.name == f"runs-seed-{seed}"  # not seed-0: the repeats of another configuration share the store
        interventions = json.loads(run.manifest.tags["settings"])["interventions"]
        assert [one["layer"] for one in interventions] == ["fc3", "fc1"]
    assert runs[0].manifest.tags["group"] == runs[4].manifest.tags["group"]
    assert (runs[0].weights(0)["fc1.weight"] != runs[4].weights(0)["fc1.weight"]).any()
    with pytest.raises(SystemExit) as ended:
        main([*command[:-1], "fc7", "--quiet", "--overwrite"])
    assert ended.value.code == 2
    assert "no layer 'fc7'" in capsys.readouterr().err


def exit_code(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code


def test_repeats_that_are_complete_are_left_alone_when_resuming(tmp_path, capsys):
    command = ["train", "digits_mlp", str(tmp_path / "runs"), "--iterations", "2", "--quiet"]
    assert exit_code(*command, "--seeds", "0") == 0
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "runs" / "seed-0").rglob("*")}
    assert exit_code(*command, "--seeds", "0-1", "--resume") == 0
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "runs" / "seed-0").rglob("*")} == before
    assert open_run(tmp_path / "runs" / "seed-1").complete
    capsys.readouterr()
    assert exit_code(*command, "--seeds", "0", "--resume", "--lr", "0.2") == 6
    assert "cannot go on with other settings" in capsys.readouterr().err
