"""The columns of the tables are a contract: they are written down here a second time."""

from pathlib import Path

import pyarrow as pa
import pytest

from lca_analysis.errors import NotFoundError
from lca_analysis.store import SCHEMA_VERSION, TABLES
from lca_analysis.store.reference import tables_page
from lca_analysis.store.schemas import schema_of

COMMON = (
    "quantity s, layer s?, class i, subject s?, estimate d?, low d?, high d?, confidence d?, statistic d?, p d?, "
    "p_adjusted d?, adjustment s?, method s, null s?, alternative s?, n l, replication s, reason s?"
)
CONTRACT = {
    "runs": "run_id s, path s, problem s, arguments s, parameters l, tensors l, iterations l, optimizer s, "
    "learning_rate d?, momentum d?, weight_decay d?, seed l?, group s?, tags s, lossless b, error_fraction d?, "
    "preset s, every l, longest_step l?, source s?, cautions s?, complete b, created s, versions s",
    "computations": "rule s, tolerance d, relative_tolerance d?, max_pieces l, kept_gradients l?, normalization s, "
    "batch_size l, examples l, fingerprint s, "
    "dtype s, sample_seed l, range_length l, classes l?, iterations l, torch_version s, package_version s",
    "layers_index": "layer s, depth l, kind s, tensors l, parameters l, units l",
    "parameters_index": "tensor s, layer s, depth l, kind s, shape L, parameters l, offset l, trainable b",
    "iterations": "iteration l, iteration_next l, class i, loss_before d~, loss_after d~, loss_change d~, "
    "allocated d~, residual d~, error_estimate d?, rule s, pieces i, gradient_evaluations i, tilt d?, "
    "untilted_residual d?, status s",
    "layers": "iteration l, class i, layer s, tensor s, kind s, lca d~, lca_helping d~, lca_hurting d~, n_helping l, "
    "n_hurting l, n_zero l, step_norm2 d~, gradient_norm2 d~, error_estimate d?, lca_momentum d?, lca_decay d?, "
    "lca_gradient d?, parts_reason s?",
    "units": "iteration l, layer s, unit i, lca d~",
    "parameters": "tensor s, index l, lca d~, lca_helping d~, lca_hurting d~, n_helping i, n_hurting i, "
    "step_flips i, gradient_flips i",
    "histogram": "layer s, bin i, lower d, upper d, count l, lca d",
    "series": "iteration l, layer s, tensor s, index l, weight f~, step f~, path_gradient f~, lca f~",
    "directions": "iteration l, direction i, step d~, path_gradient d~, lca d~",
    "elements": "iteration l, tensor s, lca F~",
    "results_helping": COMMON,
    "results_hurting": COMMON,
    "results_oscillation": COMMON,
    "results_synchronization": COMMON,
    "results_helping_series": "iteration l, layer s?, percent_helping d?",
    "results_parameter_helping": "layer s?, lower d, upper d, count l",
    "results_distribution": "layer s?, distribution s, parameters s, log_likelihood d?, aic d?, delta_aic d?, n l, "
    "reason s?",
    "results_spectra": "layer s, frequency d, period d?, power_step d~, power_gradient d~, background_step d?, "
    "coherence d?, coherence_low d?, coherence_high d?, coherence_p d?, "
    "phase d?, phase_low d?, phase_high d?, lca d~, lca_sampled_fraction d?",
    "results_lag_curve": "layer s, lag l, cross_correlation d~",
    "results_peaks": "layer s, class i, rank l, iteration l, lca d",
    "results_cumulative": "iteration l, layer s, lca d~",
    "results_seeds": f"group s, {COMMON}, runs s?, note s?",
    "results_comparison": f"group s, baseline s, {COMMON}, group_mean d?, baseline_mean d?, seeds s?, note s?",
}
TYPES = {
    "s": pa.string(),
    "l": pa.int64(),
    "i": pa.int32(),
    "d": pa.float64(),
    "f": pa.float32(),
    "b": pa.bool_(),
    "L": pa.list_(pa.int64()),
    "F": pa.list_(pa.float32()),
}


def describe_column(field: pa.Field) -> str:
    letter = next(letter for letter, kind in TYPES.items() if kind == field.type)
    optional = field.metadata[b"optional"] == b"yes"
    return f"{field.name} {letter}{'?' if optional else '~' if field.nullable else ''}"


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_those_of_the_contract(name):
    assert ", ".join(map(describe_column, TABLES[name].schema)) == CONTRACT[name]


def test_no_table_of_the_contract_is_missing():
    assert set(TABLES) == set(CONTRACT)


@pytest.mark.parametrize("name", TABLES)
def test_every_column_says_its_unit_and_meaning(name):
    for field in TABLES[name].schema:
        is_text = field.type == pa.string() or field.type == pa.bool_()
        assert field.metadata[b"description"].decode().endswith("."), field.name
        assert bool(field.metadata[b"unit"]) != (is_text or field.name == "class"), field.name


@pytest.mark.parametrize("name", TABLES)
def test_keys_and_partitions_fit_the_columns(name):
    table = TABLES[name]
    assert table.name == name
    assert set(table.sort_keys) <= set(table.schema.names)
    assert not set(table.partitions) & set(table.schema.names)
    assert table.columns[: len(table.partitions)] == list(table.partitions)
    assert table.either_width <= set(table.schema.names)
    assert table.schema.metadata[b"schema_version"] == str(SCHEMA_VERSION).encode()
    assert table.schema.metadata[b"table"] == name.encode()


def test_runs_and_indices_are_kept_by_run_all_else_by_split():
    by_run = {name for name, table in TABLES.items() if not table.has_split}
    assert by_run == {"runs", "layers_index", "parameters_index"}


def test_unknown_table_names_the_tables():
    with pytest.raises(NotFoundError, match=r"no table named 'layer'.*runs, .*layers,"):
        schema_of("layer")


def test_the_reference_page_is_current():
    page = Path(__file__).parents[2] / "docs" / "tables.md"
    assert page.read_text(encoding="utf-8") == tables_page(), (
        "run: python -m lca_analysis.store.reference > docs/tables.md"
    )
