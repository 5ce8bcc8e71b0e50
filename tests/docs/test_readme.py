"""The README's code blocks, run in order in an empty folder as a reader would run them."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks():
    return [(kind, body) for kind, body in BLOCK.findall(README.read_text())]


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_block(kind, body, folder):
    if kind == "python" and (name := re.match(r"# (\w+\.py)\n", body)):
        (folder / name[1]).write_text(body)
        run([sys.executable, name[1]], folder)
    elif kind == "python":
        run([sys.executable, "-c", body], folder)
    else:
        for line in body.splitlines():
            # `lca` of this environment, whatever the PATH says
            run([sys.executable, "-m", "lca_analysis.cli", *shlex.split(line)[1:]], folder)


def is_make(kind, body):
    return kind == "console" and body.startswith("make ")


def test_every_block_runs(tmp_path):
    for kind, body in blocks():
        if not is_make(kind, body):
            run_block(kind, body, tmp_path)
    assert (tmp_path / "report" / "mine" / "index.html").stat().st_size > 10_000
    assert (tmp_path / "report" / "digits" / "index.html").stat().st_size > 10_000


def test_the_make_commands_are_the_makefile_s():
    makefile = (README.parent / "Makefile").read_text()
    named = [line.split()[1] for kind, body in blocks() if is_make(kind, body) for line in body.splitlines()]
    assert named == ["demo", "test"]
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_ci_calls_the_readme_s_commands():
    script = (README.parent / ".ci" / "run").read_text()
    assert re.search(r"^make demo$", script, re.MULTILINE)
    assert re.search(r"^make test$", script, re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README.read_text()))
def test_links_lead_somewhere(link):
    assert (README.parent / link).exists()
