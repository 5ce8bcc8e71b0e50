"""A run says what its recording does to the statistics, and what it says of a bounded error is what is measured."""

import json
import re

import msgspec
import numpy as np
import pytest
from trajectory.made_runs import manifest, random_walk, tensor, write

import lca_analysis as lca
from lca_analysis.problems import TrainingSettings
from lca_analysis.trajectory import ImportSource, RecordingPolicy, RunWriter, cautions, describe, open_run
from lca_analysis.trajectory.cautions import MEASURED, bounded_error


def made(path, iterations, policy=None, source=None):
    described = msgspec.structs.replace(manifest([tensor("a.weight", (4, 5))]), source=source)
    described = msgspec.structs.replace(described, recording=policy or described.recording)
    writer = RunWriter.create(path, described)
    for iteration, flat in zip(iterations, random_walk(20, len(iterations)), strict=True):
        writer.append(iteration, {"a.weight": flat.reshape(4, 5)})
    writer.close()
    return open_run(path)


def test_a_run_of_every_iteration_to_the_bit_has_none(tmp_path):
    assert cautions(made(tmp_path / "run", range(5))) == []


def test_distance_between_points_is_said(tmp_path):
    [spaced] = cautions(made(tmp_path / "every", range(0, 50, 10), RecordingPolicy(every=10)))
    assert "recorded points are up to 10 iterations apart" in spaced
    [gap] = cautions(made(tmp_path / "windows", [0, 1, 2, 40, 41], RecordingPolicy(windows=[(0, 2), (40, 41)])))
    assert "recorded points are up to 38 iterations apart" in gap


def test_an_import_says_what_it_said_when_it_was_made(tmp_path):
    run = made(tmp_path / "run", [0, 9], source=ImportSource("torch", "theirs", ["half precision"]))
    assert cautions(run) == describe(run)["cautions"] == ["half precision"]


@pytest.mark.parametrize(("fraction", "measured"), [(1 / 16, 1 / 16), (0.01, 1 / 64), (0.3, 1 / 2), (1, 1)])
def test_a_bounded_error_is_said_with_what_was_measured_at_no_smaller_one(fraction, measured, tmp_path):
    run = made(tmp_path / "run", range(3), RecordingPolicy(lossless=False, error_fraction=fraction))
    [said] = cautions(run)
    assert f"within {fraction:.3g} of its own running mean step" in said
    mean, worst, totals, short = MEASURED[measured]
    assert f"fraction of {measured:.3g} moved the percent helping of an iteration by {mean:g} points" in said
    assert f"{worst:g} at worst" in said
    assert f"by {totals:g} % over the run and up to {short:g} % over 20 iterations" in said


def test_what_is_said_grows_with_the_fraction():
    assert bounded_error(0.0) == []
    rows = np.array([MEASURED[fraction] for fraction in sorted(MEASURED)])
    assert max(MEASURED) == 1
    assert (np.diff(rows, axis=0) >= 0).all()


@pytest.fixture(scope="module")
def helping(tmp_path_factory):
    """Percent helping of every iteration of one training, to the bit and at two error fractions, and the tables."""
    root = tmp_path_factory.mktemp("bounded")
    problem = lca.build_problem("mnist_fc", train=100, validation=10)
    settings = TrainingSettings(iterations=16, batch_size=50)
    exact = lca.train(problem, root / "exact", settings, progress=False)
    for name, fraction in {"sixteenth": 1 / 16, "half": 1 / 2}.items():
        policy = RecordingPolicy(lossless=False, error_fraction=fraction)
        points = [point.weights for point in exact.walk()]
        write(root / name, msgspec.structs.replace(exact.manifest, recording=policy), points)
    shares = {}
    for name in ("exact", "sixteenth", "half"):
        lca.compute(root / name, root / "store", problem, "train", rule="trapezoid", workers=1, progress=False)
        counts = lca.open_store(root / "store").table("layers", run=name).groupby("iteration")
        counts = counts[["n_helping", "n_hurting"]].sum()
        shares[name] = 100 * (counts["n_helping"] / counts.sum(axis=1)).to_numpy()
    return shares, lca.open_store(root / "store").table("runs").set_index("run")


@pytest.mark.parametrize(("name", "fraction"), [("sixteenth", 1 / 16), ("half", 1 / 2)])
def test_percent_helping_moves_about_as_much_as_is_said(helping, name, fraction):
    """Another training than the measured one: fewer images and iterations. Within a factor of three."""
    shift = np.abs(helping[0][name] - helping[0]["exact"])
    mean, worst = MEASURED[fraction][:2]
    assert mean / 3 < shift.mean() < 3 * mean
    assert shift.max() < 3 * worst


def test_the_runs_table_says_it(helping):
    rows = helping[1]
    assert rows["error_fraction"].to_dict() == {"exact": 0, "sixteenth": 1 / 16, "half": 1 / 2}
    assert json.loads(rows["cautions"]["exact"]) == []
    assert re.search("bounded error: each weight within 0.0625", rows["cautions"]["sixteenth"])
    assert rows["longest_step"].tolist() == [1, 1, 1]
    assert rows["source"].isna().all()
