import json
import sys
import textwrap

import pytest
import torch

from lca_analysis.errors import ArgumentError, MismatchError, NotFoundError
from lca_analysis.problems import PROBLEMS, Problem, build_problem
from lca_analysis.trajectory import ProblemReference

SOURCE = """
import torch
from torch import nn
import lca_analysis as lca


def problem(width=3, scale=1.0, layers=None):
    torch.rand(5)
    model = nn.Sequential(nn.Linear(2, width), nn.Linear(width, 2))
    inputs = scale * torch.arange(12.0).reshape(6, 2)
    return lca.Problem(model, nn.CrossEntropyLoss(reduction="none"), {"train": (inputs, torch.arange(6) % 2)})


def raises():
    raise KeyError("nothing here")


def leaves():
    raise SystemExit(2)


def nothing():
    return {"model": 1}


def mean():
    torch_problem = problem()
    return lca.Problem(torch_problem.model, nn.CrossEntropyLoss(), torch_problem.splits)


NUMBER = 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Give an empty current directory with mine.py in it."""
    (tmp_path / "mine.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_and_function_build_a_problem_with_its_reference(here):
    problem = build_problem("mine.py:problem", width=4, scale=2)
    assert isinstance(problem, Problem)
    assert problem.model[0].weight.shape == (4, 2)
    assert problem.reference == ProblemReference(
        "mine.py:problem", {"width": 4, "scale": 2}, {"train": problem.fingerprint("train")}
    )
    assert problem.split("train")[0][1].tolist() == [4.0, 6.0]


def test_a_reference_builds_the_same_again_and_arguments_replace_its_own(here):
    first = build_problem("mine.py:problem", width=4, scale=2)
    again = build_problem(first.reference)
    assert again.reference == first.reference
    other = build_problem(first.reference, scale=3)
    assert other.reference.arguments == {"width": 4, "scale": 3}
    assert other.reference.fingerprints != first.reference.fingerprints


def test_a_module_in_the_path_is_imported(here, monkeypatch):
    monkeypatch.syspath_prepend(here)
    (here / "mine_too.py").write_text(SOURCE)
    assert build_problem("mine_too:problem").reference.target == "mine_too:problem"


def test_files_beside_the_file_can_be_imported_even_late(here):
    (here / "elsewhere").mkdir()
    (here / "elsewhere" / "helper_of_mine.py").write_text("WIDTH = 5\n")
    text = SOURCE + "\n\ndef late():\n    import helper_of_mine\n    return problem(helper_of_mine.WIDTH)\n"
    (here / "elsewhere" / "late.py").write_text(text)
    before = list(sys.path)
    assert build_problem("elsewhere/late.py:late").model[0].weight.shape == (5, 2)
    assert sys.path == before


def test_a_relative_file_is_looked_for_beside_the_run(here, monkeypatch):
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert build_problem("mine.py:problem", here / "run").reference.target == "mine.py:problem"
    with pytest.raises(NotFoundError, match=r"no file other\.py \(looked from .*elsewhere and from .*\); run from"):
        build_problem("other.py:problem", here / "run")
    with pytest.raises(NotFoundError, match=r"no file mine\.py \(looked from .*elsewhere\)"):
        build_problem("mine.py:problem")


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ("mnist", NotFoundError, "no problem 'mnist'; name one of mnist_fc, mnist_lenet, cifar_resnet20"),
        ("", NotFoundError, "no problem ''"),
        ("mine.py:", NotFoundError, "no problem 'mine.py:'"),
        ("absent.py:problem", NotFoundError, "no file absent.py"),
        ("mine.py:absent", NotFoundError, "mine.py has no function 'absent'"),
        ("no_such_package.part:problem", NotFoundError, "cannot import 'no_such_package.part'"),
        ("mine.py:raises", ArgumentError, "mine.py:raises raised KeyError: 'nothing here'"),
        ("mine.py:leaves", ArgumentError, "mine.py:leaves raised SystemExit: 2"),
        ("mine.py:nothing", ArgumentError, "mine.py:nothing gave dict, not a Problem"),
        ("mine.py:mean", ArgumentError, "loss must give one value per example"),
        ("mine.py:NUMBER", MismatchError, "mine.py:NUMBER is not a Python function"),
        ("os:system", MismatchError, "os:system is not a Python function|must import lca_analysis"),
        ("shutil:rmtree", MismatchError, "shutil:rmtree"),
        ("subprocess:call", MismatchError, "must import lca_analysis"),
    ],
)
def test_what_cannot_be_built_is_explained(here, target, error, message):
    with pytest.raises(error, match=message):
        build_problem(target)


def test_the_cause_of_a_failure_is_kept(here):
    with pytest.raises(ArgumentError) as caught:
        build_problem("mine.py:raises")
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", r"spoilt\.py raised ZeroDivisionError: division by zero; .*__main__"),
        ("def x(:", r"spoilt\.py raised SyntaxError"),
        ("raise SystemExit(3)", r"spoilt\.py raised SystemExit: 3"),
        ("import no_such_package", r"spoilt\.py raised ModuleNotFoundError: No module named 'no_such_package'"),
    ],
)
def test_a_file_that_cannot_be_executed_is_named(here, text, message):
    (here / "spoilt.py").write_text(text)
    before = list(sys.path)
    with pytest.raises(ArgumentError, match=message):
        build_problem("spoilt.py:problem")
    assert sys.path == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 2}, r"mine\.py:problem\(width=3, scale=1\.0, layers=None\): .*unexpected .*'depth'"),
        ({"layers": (1, 2)}, "must be JSON values"),
        ({"layers": {1: 2}}, "must be JSON values"),
        ({"scale": float("nan")}, "must be JSON values"),
        ({"layers": torch.ones(2)}, "must be JSON values"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(here, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        build_problem("mine.py:problem", **arguments)


def test_arguments_survive_json(here):
    arguments = {"width": 3, "layers": [1, {"a": None, "b": [True, "x"]}]}
    problem = build_problem("mine.py:problem", **arguments)
    assert json.loads(json.dumps(problem.reference.arguments)) == arguments


def test_building_leaves_the_global_random_state_alone(here, cifar_folder):
    torch.manual_seed(11)
    state = torch.get_rng_state()
    build_problem("mine.py:problem")
    for name in PROBLEMS:
        build_problem(name, **({"data": str(cifar_folder)} if name.startswith("cifar") else {}))
        assert torch.equal(torch.get_rng_state(), state), name


def test_an_unseeded_model_follows_the_global_seed(here):
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(build_problem("mine.py:problem").model[0].weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("name", PROBLEMS)
def test_built_in_models_follow_their_seed(name, cifar_folder):
    data = {"data": str(cifar_folder)} if name.startswith("cifar") else {}
    first, again, other = (build_problem(name, seed=seed, **data).model for seed in (4, 4, 5))
    pairs = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_a_script_that_builds_itself_can_be_named(here):
    text = SOURCE + textwrap.dedent("""
        if __name__ == "__main__":
            raise RuntimeError("this is not to be executed")
    """)
    (here / "script.py").write_text(text)
    assert build_problem("script.py:problem").splits
