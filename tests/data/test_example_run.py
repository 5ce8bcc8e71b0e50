"""The recorded run in data/: still whole, still bit for bit what was recorded, still computable."""

import hashlib
from pathlib import Path

import lca_analysis as lca

RUN = Path(__file__).parents[2] / "data" / "digits_mlp"
WEIGHTS = "953a50737ef894370b7f2bbe3c21cfa61630c5c98fa38178cbc2c4e9d3ba7d56"


def test_it_verifies():
    report = lca.verify(RUN, progress=False)
    assert report.ok
    assert not report.notes
    assert report.points == 61


def test_every_bit_of_every_point_is_as_recorded():
    digest = hashlib.sha256()
    for point in lca.open_run(RUN).walk():
        for name, weights in point.weights.items():
            digest.update(name.encode())
            digest.update(weights.tobytes())
    assert digest.hexdigest() == WEIGHTS


def test_it_conserves_the_loss_change_on_both_splits(tmp_path):
    # The start is rough: at the usual tolerance of 1e-3 residuals of one sign add up to 0.3 % of the whole change.
    lca.compute(RUN, tmp_path / "store", tolerance=1e-4, progress=False)
    store = lca.open_store(tmp_path / "store")
    for split in ("train", "validation"):
        rows = store.table("iterations", run="digits_mlp", split=split)
        assert len(rows) == 60
        assert (rows["residual"].abs() <= 1e-4).all()
        change = rows["loss_after"].iloc[-1] - rows["loss_before"].iloc[0]
        assert abs(rows["allocated"].sum() - change) <= 1e-3 * abs(change)
        layers = store.table("layers", run="digits_mlp", split=split)
        assert abs(layers["lca"].sum() - rows["allocated"].sum()) <= 1e-9
