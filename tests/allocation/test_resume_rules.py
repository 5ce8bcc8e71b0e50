"""The other path rules too: the same bytes, whatever the interruptions and the number of workers."""

import signal
import subprocess
import sys

import pytest

import lca_analysis as lca

SETTINGS = {"range_length": 3, "elements": True, "splits": "train"}
RULES = ("strict", "fast")
# Small enough for the small runs to have steps that strict refines.
TOLERANCE = 1e-5

KILLED = """
import os, signal, sys
import lca_analysis as lca
from lca_analysis.allocation import execution

original, seen = execution.compute_range, []


def killing(job, problem, on_step, *rest):
    def step():
        seen.append(job)
        if len(seen) == 5:
            os.kill(os.getpid(), signal.SIGKILL)

    original(job, problem, step, *rest)


execution.compute_range = killing
run, store, rule, tolerance = sys.argv[1:]
lca.compute(run, store, splits="train", rule=rule, tolerance=float(tolerance), range_length=3, elements=True)
"""


@pytest.fixture(scope="module", params=RULES)
def undisturbed(request, mlp_run, tmp_path_factory):
    """A rule, and the store of a computation by it that nothing disturbs."""
    store = tmp_path_factory.mktemp(request.param) / "store"
    lca.compute(mlp_run.path, store, rule=request.param, tolerance=TOLERANCE, **SETTINGS)
    used = lca.open_store(store).table("iterations")["gradient_evaluations"].mean()
    assert (used < 1.2) == (request.param == "fast")
    return request.param, store


def test_a_killed_process_and_two_that_go_on(small, mlp_run, undisturbed, tmp_path):
    rule, store = undisturbed
    command = [sys.executable, "-c", KILLED, str(mlp_run.path), str(tmp_path / "store"), rule, str(TOLERANCE)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    summary = lca.compute(mlp_run.path, tmp_path / "store", rule=rule, tolerance=TOLERANCE, workers=2, **SETTINGS)
    assert (summary.reused, summary.computed) == (1, 3)
    assert small.snapshot(tmp_path / "store") == small.snapshot(store)
