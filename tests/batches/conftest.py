import shutil

import pytest

import lca_analysis as lca
from lca_analysis.problems import TrainingSettings
from lca_analysis.recording import RecorderOptions


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """One small run in three segments: a keyframe every ten points."""
    path = tmp_path_factory.mktemp("recorded") / "run"
    problem = lca.build_problem("digits_mlp")
    settings = TrainingSettings(iterations=24, batch_size=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "lca_analysis.problems.training.RecorderOptions",
            lambda **options: RecorderOptions(**options, segment_length=10),
        )
        lca.train(problem, path, settings, progress=False)
    return path


@pytest.fixture
def runs_of(recorded, tmp_path):
    """Make a folder of so many runs by copying one: run.json has no name, so each is named by its folder."""

    def make(count, folder="runs"):
        for number in range(count):
            shutil.copytree(recorded, tmp_path / folder / f"run{number:02d}")
        return tmp_path / folder

    return make
