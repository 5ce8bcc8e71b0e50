"""Small lies of the command line, each seen once."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import lca_analysis as lca
from lca_analysis.cli.entry import VERBS
from lca_analysis.cli.entry import lca as command

RUN = Path(__file__).parents[2] / "data" / "digits_mlp"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "store"
    lca.compute(RUN, path, splits="validation", progress=False)
    return path


def run(*arguments):
    return CliRunner().invoke(command, [*map(str, arguments)])


def refuse(constant):
    raise ValueError(constant)


def test_json_has_every_digit(store):
    shown = json.loads(run("tables", store, "series", "--rows", 0, "--json").output, parse_constant=refuse)
    expected = lca.open_store(store).table("series")["lca"]
    assert [row["lca"] for row in shown] == expected.tolist()


@pytest.mark.parametrize("arguments", [["--rows", -3], ["--csv", "--json"], ["--columns", ""]])
def test_options_without_a_meaning_are_refused(store, arguments):
    assert run("tables", store, "layers", *arguments).exit_code != 0


def test_listed_tables_can_be_typed(store):
    listed = [line.split()[0] for line in run("tables", store).output.splitlines()]
    assert set(listed) == set(lca.open_store(store).tables())


@pytest.mark.parametrize("verb", VERBS)
def test_examples_in_the_help_keep_their_lines(verb):
    shown = run(verb, "--help").output
    assert "\\b" not in shown
    lines = [line.strip() for line in shown.splitlines()]
    assert any(line.startswith(f"lca {verb}") for line in lines)
