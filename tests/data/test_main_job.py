"""The main job on the paper's network: 300 iterations of mnist_fc on real images conserve the loss on both splits."""

import pytest

import lca_analysis as lca
from lca_analysis.problems import TrainingSettings


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("main_job")
    lca.train(lca.build_problem("mnist_fc"), folder / "mnist_fc", TrainingSettings(iterations=300), progress=False)
    lca.compute(folder / "mnist_fc", folder / "store", tolerance=1e-4, progress=False)
    return lca.open_store(folder / "store")


@pytest.mark.parametrize("split", ["train", "validation"])
def test_every_iteration_and_the_whole_run_conserve_the_loss(store, split):
    rows = store.table("iterations", run="mnist_fc", split=split)
    assert len(rows) == 300
    assert (rows["residual"].abs() <= 1e-4).all()
    assert (rows["status"] == "ok").all()
    change = rows["loss_after"].iloc[-1] - rows["loss_before"].iloc[0]
    assert change < -1
    assert abs(rows["allocated"].sum() - change) <= 1e-3 * abs(change)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_every_table_holds_the_same_sum(store, split):
    allocated = store.table("iterations", run="mnist_fc", split=split)["allocated"].sum()
    for table in ("layers", "units", "parameters", "histogram"):
        assert store.table(table, run="mnist_fc", split=split)["lca"].sum() == pytest.approx(allocated, rel=1e-6)
