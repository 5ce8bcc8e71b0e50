"""Recordings killed at random moments lose nothing that was committed and go on; a full disk leaves a whole run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from trajectory.made_runs import read_back

from lca_analysis.trajectory import RunWriter, verify

SAFETY = Path(__file__).parents[2] / "benchmarks" / "safety.py"

FULL = """
import resource, signal, sys
import numpy as np
from trajectory.made_runs import manifest, tensor
from lca_analysis.trajectory import RunWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
writer = RunWriter.create(sys.argv[1], manifest([tensor("a.weight", (500,))], segment_length=1000))
for t in range(1000):
    try:
        writer.append(t, {"a.weight": np.sin(np.arange(500) * 0.01 + t).astype(np.float32)})
    except OSError as error:
        print(t, error.errno)
        break
"""


def run(*arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def test_ten_kills_and_two_hundred_changed_bytes_lose_nothing():
    done = run(str(SAFETY), "--kills", "10", "--bytes", "200")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 kills, each resumed: 0 with a point lost" in done.stdout
    assert "200 changed bytes" in done.stdout
    assert " 0 missed" in done.stdout


def test_a_file_that_the_system_lets_grow_no_further_is_whole_up_to_there(tmp_path):
    done = run("-c", FULL, str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    stopped, errno = map(int, done.stdout.split())
    assert errno == 27  # EFBIG
    points = [{"a.weight": np.sin(np.arange(500) * 0.01 + t).astype(np.float32)} for t in range(stopped + 1)]
    assert stopped > 2
    read_back(tmp_path / "run", points[:stopped])
    assert verify(tmp_path / "run").ok
    writer = RunWriter.resume(tmp_path / "run")
    writer.append(stopped, points[stopped])
    writer.close()
    read_back(tmp_path / "run", points)
