"""Every table that compute writes, against loops in float64."""

from collections import Counter

import numpy as np
import oracles
import pytest

import lca_analysis as lca

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
CASES = [(name, dtype) for name in ("mlp", "conv", "batch_norm") for dtype in TOLERANCE]
SETTINGS = {
    "splits": "train", "rule": "paper", "tolerance": 1e-4, "max_pieces": 8, "range_length": 3, "elements": True,
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request, small, tmp_path_factory):
    """A computed run beside what the oracle makes of it."""
    name, dtype = request.param
    folder = tmp_path_factory.mktemp("oracle")
    problem = small.build(name, dtype=dtype)
    run = small.record(problem, folder / "run", iterations=7, lr=1.0)
    lca.compute(folder / "run", folder / "store", problem, **SETTINGS)
    steps = oracles.paper_run(problem, "train", small.points(run), 1e-4, 8)
    return {
        "store": lca.open_store(folder / "store"),
        "problem": problem,
        "run": run,
        "steps": steps,
        "rtol": TOLERANCE[dtype],
        "scale": max(np.abs(values).max() for step in steps for values in step["lca"].values()),
        "dtype": dtype,
    }


def table(case, name):
    return case["store"].table(name, run="run", split="train")


def near(case, found, wanted, size=1.0):
    """Compare sums within the tolerance, relative to the largest LCA times a size."""
    np.testing.assert_allclose(found, wanted, rtol=case["rtol"], atol=case["rtol"] * case["scale"] * size)


def test_elements(case):
    rows = table(case, "elements").set_index(["iteration", "tensor"])["lca"]
    for iteration, step in enumerate(case["steps"]):
        for name, values in step["lca"].items():
            found = rows[iteration, name]
            # Elements are stored in single precision.
            np.testing.assert_allclose(found, values.ravel(), rtol=1e-6, atol=max(case["rtol"], 1e-7) * case["scale"])


def test_iterations(case):
    rows = table(case, "iterations")
    steps = case["steps"]
    assert rows["iteration"].tolist() == list(range(7))
    assert rows["iteration_next"].tolist() == list(range(1, 8))
    assert rows["pieces"].tolist() == [step["pieces"] for step in steps]
    assert len(set(rows["pieces"])) > 1, "the case should halve some steps and not others"
    near(case, rows["loss_before"], [step["loss_before"] for step in steps])
    near(case, rows["loss_after"], [step["loss_after"] for step in steps])
    near(case, rows["residual"], [step["residual"] for step in steps], size=30)
    totals = [sum(values.sum() for values in step["lca"].values()) for step in steps]
    near(case, rows["allocated"], totals)
    near(case, rows["error_estimate"], [sum(step["errors"].values()) for step in steps], size=100)
    missed = [abs(step["residual"]) > 1e-4 for step in steps]
    assert rows["status"].tolist() == ["tolerance" if miss else "ok" for miss in missed]
    assert set(rows["rule"]) == {"paper"}


def test_evaluations_are_counted_once(case):
    rows = table(case, "iterations")
    fresh = [2 * pieces for pieces in rows["pieces"]]
    assert rows["gradient_evaluations"].tolist() == [fresh[0] + 1, *fresh[1:]]


def test_layers(case):
    rows = table(case, "layers").set_index(["iteration", "tensor"])
    for iteration, step in enumerate(case["steps"]):
        for name, values in step["lca"].items():
            wanted = oracles.tensor_row(values, step["step"][name], step["path_gradient"][name])
            found = rows.loc[(iteration, name)]
            for column in ("lca", "lca_helping", "lca_hurting"):
                near(case, found[column], wanted[column], size=3)
            for column in ("step_norm2", "gradient_norm2"):
                assert found[column] == pytest.approx(wanted[column], rel=100 * case["rtol"])
            near(case, found["error_estimate"], step["errors"][name], size=100)
            if case["dtype"] == "float64":
                assert [found[c] for c in ("n_helping", "n_hurting", "n_zero")] == [
                    wanted[c] for c in ("n_helping", "n_hurting", "n_zero")
                ]


def test_counts_and_sums_from_the_elements(case):
    # From the engine's own elements, so that counts are compared exactly in either precision.
    elements = table(case, "elements")
    rows = table(case, "layers").set_index(["iteration", "tensor"])
    for iteration, name, values in elements[["iteration", "tensor", "lca"]].itertuples(index=False):
        wanted = oracles.tensor_row(values, values, values)
        found = rows.loc[(iteration, name)]
        assert [found[c] for c in ("n_helping", "n_hurting", "n_zero")] == [
            wanted[c] for c in ("n_helping", "n_hurting", "n_zero")
        ]


def test_units(case):
    rows = table(case, "units").set_index(["iteration", "layer"])["lca"]
    index = case["store"].table("layers_index", run="run").set_index("layer")["units"]
    for iteration, step in enumerate(case["steps"]):
        for layer, units in index.items():
            wanted = oracles.unit_sums(case["problem"].model, layer, step["lca"])
            assert len(wanted) == units
            near(case, rows[iteration, layer], wanted, size=3)


def test_parameters(case):
    rows = table(case, "parameters").set_index("tensor")
    steps = case["steps"]
    for name in steps[0]["lca"]:
        series = {
            key: np.stack([step[key][name].ravel() for step in steps], 1) for key in ("lca", "step", "path_gradient")
        }
        found = rows.loc[[name]]
        assert found["index"].tolist() == list(range(len(series["lca"])))
        near(case, found["lca"], [sum(row) for row in series["lca"]])
        near(case, found["lca_helping"], [sum(a for a in row if a < 0) for row in series["lca"]])
        near(case, found["lca_hurting"], [sum(a for a in row if a > 0) for row in series["lca"]])
        if case["dtype"] == "float64":
            assert found["n_helping"].tolist() == [sum(a < 0 for a in row) for row in series["lca"]]
            assert found["n_hurting"].tolist() == [sum(a > 0 for a in row) for row in series["lca"]]
            assert found["step_flips"].tolist() == [oracles.flips(row) for row in series["step"]]
            assert found["gradient_flips"].tolist() == [oracles.flips(row) for row in series["path_gradient"]]


def values_by_tensor(case):
    """Give every value that a histogram counts: stored ones in single precision, else the oracle's."""
    if case["dtype"] == "float32":
        return [row[1:] for row in table(case, "elements")[["tensor", "lca"]].itertuples()]
    return [(name, values.ravel()) for step in case["steps"] for name, values in step["lca"].items()]


def test_histogram(case):
    layers = case["store"].table("parameters_index", run="run").set_index("tensor")["layer"]
    counts, sums = Counter(), Counter()
    for name, values in values_by_tensor(case):
        for value in values:
            counts[layers[name], oracles.bin_number(value)] += 1
            sums[layers[name], oracles.bin_number(value)] += float(value)
    rows = table(case, "histogram").set_index(["layer", "bin"])
    assert rows["count"].to_dict() == counts
    near(case, rows["lca"], [sums[key] for key in rows.index])
    mean = rows["lca"] / rows["count"]
    assert mean.between(rows["lower"], rows["upper"]).all()


def test_series(case):
    rows = table(case, "series").set_index(["iteration", "tensor"])
    for iteration, step in enumerate(case["steps"]):
        for name in step["lca"]:
            found = rows.loc[(iteration, name)]
            for column in ("weight", "step", "path_gradient", "lca"):
                wanted = step[column][name].ravel()[found["index"]]
                atol = case["rtol"] * np.abs(step[column][name]).max() * 2
                np.testing.assert_allclose(found[column], wanted, rtol=case["rtol"], atol=atol + 1e-9 * (atol > 1e-9))
    assert rows["weight"].dtype == case["dtype"]


def test_everything_adds_up(case):
    iterations = table(case, "iterations").set_index("iteration")
    layers, units = table(case, "layers"), table(case, "units")
    close = {"rtol": 1e-6, "atol": 1e-6 * case["scale"]}
    np.testing.assert_allclose(
        layers.groupby("iteration")["lca"].sum(), iterations["allocated"], rtol=1e-12, atol=1e-15
    )
    np.testing.assert_allclose(layers["lca_helping"] + layers["lca_hurting"], layers["lca"], rtol=1e-12, atol=1e-15)
    by_layer = layers.groupby(["iteration", "layer"])["lca"].sum()
    np.testing.assert_allclose(units.groupby(["iteration", "layer"])["lca"].sum(), by_layer, **close)
    parameters = table(case, "parameters")
    over_time = layers.groupby("tensor")["lca"].sum()
    np.testing.assert_allclose(parameters.groupby("tensor")["lca"].sum(), over_time, **close)
    histogram = table(case, "histogram").groupby("layer")
    np.testing.assert_allclose(histogram["lca"].sum(), layers.groupby("layer")["lca"].sum(), **close)
    counts = layers.groupby("layer")[["n_helping", "n_hurting", "n_zero"]].sum().sum(axis=1)
    assert histogram["count"].sum().to_dict() == counts.to_dict()
    np.testing.assert_allclose(
        iterations["loss_change"], iterations["allocated"] + iterations["residual"], rtol=1e-12, atol=1e-15
    )
