"""The accounting of benchmarks/codec.py: every byte is counted, rivals are what they say, and a miss is a failure."""

import importlib
import json
import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import zstandard

from lca_analysis.problems import TrainingSettings
from lca_analysis.trajectory import open_run

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def codec():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("codec")


@pytest.fixture(scope="module")
def measured(codec, tmp_path_factory):
    """Eight late iterations of the digits' network, measured once."""
    folder = tmp_path_factory.mktemp("codec")
    settings = TrainingSettings(iterations=12, optimizer="adam", learning_rate=1e-3)
    trajectory = sys.modules["codec_trajectories"].Trajectory("digits", "digits_mlp", settings, 4, 0.25)
    recorded = codec.record(trajectory, folder)
    return trajectory, recorded, codec.measure(recorded, folder, 1), folder


def bits(size, recorded):
    return 8 * size / sum(point.size for point in recorded.flat)


@pytest.mark.parametrize("preset", ["small", "fast"])
def test_every_file_of_the_run_folder_counts(measured, preset):
    _, recorded, scores, _ = measured
    size = sum(
        os.path.getsize(os.path.join(root, name))
        for root, _, names in os.walk(recorded.folders[preset])
        for name in names
    )
    assert scores[preset].bits == pytest.approx(bits(size, recorded), rel=1e-12)
    assert size > (recorded.folders[preset] / "run.json").stat().st_size > 0


def test_the_recorders_saw_the_window_with_their_presets(measured):
    _, recorded, _, _ = measured
    for preset, path in recorded.folders.items():
        run = open_run(path)
        assert run.manifest.recording.preset == preset
        assert run.iterations.tolist() == list(range(4, 13))
        assert all(
            np.array_equal(run.weights(4 + n)[name], array)
            for n in (0, 8)
            for name, array in recorded.points[n].items()
        )


def test_the_zstd_row_is_the_size_of_its_streams(measured):
    _, recorded, scores, _ = measured
    before, size = np.zeros(len(recorded.flat[0]), np.uint32), 0
    for point in recorded.flat:
        words = point.view(np.uint32)
        now = np.where(words >> 31, ~words, words | 0x80000000).astype(np.uint32)
        change = (now - before).view(np.int32).astype(np.int64)
        folded = np.where(change < 0, -2 * change - 1, 2 * change).astype(np.uint32)
        size += len(zstandard.compress(folded.view(np.uint8).reshape(-1, 4).T.tobytes(), 3))
        before = now
    assert scores["integer difference, byte split, zstd 3"].bits == pytest.approx(bits(size, recorded), rel=1e-12)


def test_the_row_of_the_study_is_the_size_of_its_file(measured):
    _, recorded, scores, folder = measured
    size = (folder / "weights.h5").stat().st_size
    assert scores["float64 in gzip HDF5 (Lan et al.)"].bits == pytest.approx(bits(size, recorded), rel=1e-12)
    with h5py.File(folder / "weights.h5") as file:
        matrix = file["all_weights"]
        assert (matrix.dtype, matrix.compression, matrix.shape) == ("f8", "gzip", (9, len(recorded.flat[0])))


def test_a_codec_that_loses_a_bit_stops_the_benchmark(codec, measured):
    _, recorded, _, _ = measured
    lost = dict(recorded.points[3])
    name = next(iter(lost))
    lost[name] = lost[name].copy()
    lost[name].view(np.uint32).reshape(-1)[-1] ^= 1
    with pytest.raises(SystemExit, match="did not give back"):
        codec.check(lost, recorded.points[3])


def test_verdicts_follow_the_figures(codec, measured):
    """A preset as large as the smallest rival, or slow, is told; the same scores within the limits pass."""
    trajectory, _, scores, _ = measured
    good = {name: codec.Score(20.0, 200.0, 500.0) for name in scores} | {
        name: codec.Score(9.0, 200.0, 500.0) for name in ("small", "fast")
    }
    assert all(verdict.passed for verdict in codec.judge([trajectory], {"digits": good}))
    bad = good | {"small": codec.Score(15.1, 69.0, 179.0), "fast": codec.Score(20.1, 149.0, 449.0)}
    missed = codec.judge([trajectory], {"digits": bad})
    assert [verdict.figure for verdict in missed] == pytest.approx([15.1 / 20, 20.1 / 20, 20 / 15.1, 69, 179, 149, 449])
    assert not any(verdict.passed for verdict in missed)


def test_a_missed_target_is_the_exit_code(codec, monkeypatch, tmp_path, capsys):
    first = codec.five()[0]
    scores = dict.fromkeys(
        ("integer difference, byte split, zstd 3", "integer difference, pcodec 8", "float64 in gzip HDF5 (Lan et al.)"),
        codec.Score(30.0, 1.0, 1.0),
    )
    for speed, code in ((1000.0, 0), (149.0, 1)):
        found = {first.name: scores | dict.fromkeys(("small", "fast"), codec.Score(10.0, speed, 1000.0))}
        monkeypatch.setattr(codec, "five", lambda: [first])
        monkeypatch.setattr(codec, "run", lambda trajectories, rounds, found=found: found)
        monkeypatch.setattr(sys, "argv", ["codec.py", "--json", str(tmp_path / "out.json")])
        assert codec.main() == code
        assert ("FAIL" in capsys.readouterr().out) == bool(code)
        written = json.loads((tmp_path / "out.json").read_text())
        assert written["figures"][first.name]["fast"]["encode"] == speed
        assert all(target["passed"] for target in written["targets"]) != bool(code)
