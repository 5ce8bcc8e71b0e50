"""The code blocks of docs/recording.md, run in order in one program, as its reader would."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import lca_analysis as lca
from lca_analysis.trajectory import verify

PAGE = Path(__file__).parents[2] / "docs" / "recording.md"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LAST = {
    "plain": 100,
    "by_hand": 10,
    "accumulated": 10,
    "amp": 20,
    "lbfgs": 5,
    "compiled": 5,
    "lightning": 8,
    "hugging_face": 8,
    "feedback": 20,
    "windows": 100,
    "resumed": 100,
    "options": 0,
    "bounded": 50,
}


@pytest.fixture(scope="module")
def blocks():
    return BLOCK.findall(PAGE.read_text())


def run(command, folder):
    offline = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=folder, env=offline, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_block_runs_and_records_what_the_page_says(blocks, tmp_path):
    bodies = [body for kind, body in blocks if kind == "python" and not body.startswith("# ddp.py")]
    (tmp_path / "page.py").write_text("\n".join(bodies))
    printed = run([sys.executable, "page.py"], tmp_path)
    assert printed.startswith("True 100\n")
    assert printed.endswith("False\n")
    runs = {folder.name: lca.open_run(folder) for folder in (tmp_path / "runs").iterdir()}
    assert {name: run.iterations[-1] for name, run in runs.items()} == LAST
    assert all(run.complete for run in runs.values())
    assert runs["windows"].iterations.tolist() == [*range(0, 21, 2), *range(80, 101, 2)]
    assert runs["resumed"].iterations.tolist() == list(range(101))
    assert runs["lightning"].tensors[0].name == "0.weight"
    assert verify(tmp_path / "runs" / "bounded").ok


def test_the_distributed_script_runs(blocks, tmp_path):
    (script,) = [body for kind, body in blocks if body.startswith("# ddp.py")]
    (command,) = [body for kind, body in blocks if kind == "console" and body.startswith("torchrun")]
    (tmp_path / "ddp.py").write_text(script)
    run([sys.executable, "-m", "torch.distributed.run", *shlex.split(command)[1:]], tmp_path)
    recorded = lca.open_run(tmp_path / "runs" / "ddp")
    assert recorded.complete
    assert recorded.iterations.tolist() == list(range(11))


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)", PAGE.read_text()))
def test_links_lead_somewhere(link):
    assert (PAGE.parent / link).exists()
