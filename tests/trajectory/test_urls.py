"""Runs behind URLs: a web server that gives ranges of files, and fsspec's store in memory."""

import json
import shutil
import sys

import fsspec
import numpy as np
import pytest
from trajectory.http_server import serve
from trajectory.made_runs import manifest, random_walk, same_bits, tensor, write

from lca_analysis.cli.entry import main
from lca_analysis.errors import ArgumentError, CorruptError, FormatError, MissingDependencyError, NotFoundError
from lca_analysis.trajectory import describe, open_run, verify

TENSORS = [tensor("a.weight", (30, 20)), tensor("a.bias", (20,)), tensor("n.count", (), "int64", "buffer")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("served")
    points = [
        {"a.weight": flat[:600].reshape(30, 20), "a.bias": flat[600:], "n.count": np.array(t)}
        for t, flat in enumerate(random_walk(620, 10))
    ]
    write(root / "run", manifest(TENSORS), points)
    shutil.copytree(root / "run", root / "damaged")
    file = root / "damaged" / "segments" / "000001.lcaseg"
    file.write_bytes(file.read_bytes()[:-9] + b"?" + file.read_bytes()[-8:])
    (root / "empty").mkdir()
    return root, points


@pytest.fixture(params=["http", "memory"])
def base(request, folder):
    if request.param == "http":
        with serve(folder[0]) as (url, _):
            yield url
        return
    fs = fsspec.filesystem("memory")
    fs.put(str(folder[0]), "/served", recursive=True)
    yield "memory://served"
    fs.rm("/served", recursive=True)


def test_a_run_behind_a_url_is_the_run(base, folder):
    run, points = open_run(f"{base}/run"), folder[1]
    assert run.complete
    assert run.iterations.tolist() == list(range(10))
    for iteration in (9, 0, 6):
        assert all(same_bits(found, points[iteration][name]) for name, found in run.weights(iteration).items())
    one = run.weights(5, ["a.bias"])
    assert one.keys() == {"a.bias"}
    assert same_bits(one["a.bias"], points[5]["a.bias"])
    for step in run.steps(2, 7):
        expected = points[step.iteration_next]["a.weight"] - points[step.iteration]["a.weight"]
        assert same_bits(step.steps["a.weight"], expected)
    facts, local = describe(run), describe(open_run(folder[0] / "run"))
    assert facts | {"path": ""} == local | {"path": ""}


def test_verify_behind_a_url(base):
    report = verify(f"{base}/run", progress=False)
    assert (report.ok, report.points, report.segments) == (True, 10, 3)
    report = verify(f"{base}/damaged", progress=False)
    assert (report.ok, report.points) == (False, 9)
    assert "iteration 7" in report.problems[0]
    with pytest.raises(CorruptError, match=r"000001\.lcaseg: iteration 7"):
        open_run(f"{base}/damaged").weights(7)


def test_what_is_not_there_is_said(base):
    with pytest.raises(NotFoundError, match="nowhere does not exist"):
        open_run(f"{base}/nowhere")
    with pytest.raises((NotFoundError, FormatError), match=r"run\.json"):
        open_run(f"{base}/run/run.json")
    with pytest.raises(NotFoundError, match=r"segments has no run\.json"):
        open_run(f"{base}/run/segments")


def test_one_point_fetches_its_segment_and_no_other(folder):
    with serve(folder[0]) as (url, asked):
        run = open_run(f"{url}/run")
        asked.clear()
        run.weights(5, ["a.bias"])
        assert {name for name, *_ in asked} == {"000001.lcaseg"}
        frames = run.segments[1].frames
        assert sum(stop - start for _, start, stop in asked) <= frames[-1].end  # not twice


def test_the_command_line_takes_urls(folder, capsys):
    with serve(folder[0]) as (url, _):
        for verb, code in (("info", 0), ("verify", 0)):
            with pytest.raises(SystemExit) as ended:
                main([verb, f"{url}/run", "--json"])
            assert ended.value.code == code
        shown = capsys.readouterr().out
        assert json.loads(shown[: shown.index("\n[")])["last_iteration"] == 9
        with pytest.raises(SystemExit) as ended:
            main(["info", f"{url}/nowhere"])
        assert ended.value.code == 3
    with pytest.raises(SystemExit) as ended:
        main(["info", f"{url}/run"])  # nobody answers there any more
    assert ended.value.code in (3, 9)
    assert "Traceback" not in capsys.readouterr().err


def test_a_protocol_that_does_not_exist_or_is_not_installed_is_said(monkeypatch):
    with pytest.raises(ArgumentError, match="frobnicate"):
        open_run("frobnicate://there/run")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingDependencyError, match="s3fs"):
        open_run("s3://bucket/run")
