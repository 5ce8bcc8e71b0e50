"""The page of findings: its tables are those that its script writes, from a store of many runs."""

import importlib.util
import re
import sys
from pathlib import Path

from small_stores import write_run

import lca_analysis as lca
from lca_analysis.store import open_store

ROOT = Path(__file__).parents[2]


def load():
    spec = importlib.util.spec_from_file_location("findings", ROOT / "benchmarks" / "findings.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["findings"] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_has_every_table_and_no_other():
    page = (ROOT / "docs" / "findings.md").read_text()
    filled = re.findall(r"<!-- table (\w+) -->\n\|.*?\|\n<!-- end -->", page, re.DOTALL)
    assert filled == list(load().TABLES)


def test_tables_over_runs_are_those_of_the_store(tmp_path):
    bench = load()
    for name, slow in (("fc-plain", 1.0), ("fc-last-slow", 0.5)):
        for seed in range(3):
            net = {"fc1": -2.0 - 0.1 * seed, "fc2": slow * (0.3 + 0.05 * seed**2)}
            write_run(tmp_path, f"{name}-seed-{seed}", net, seed=seed, group=name)
    store = open_store(tmp_path)
    lca.compare(store, "fc-plain")
    assert bench.helping(store)[1] == ["fc-plain", "250", "3", "75.0"]
    rows = bench.hurting(store)
    assert [row[:3] for row in rows[1:3]] == [["fc-plain", "fc1", "3"], ["fc-plain", "fc2", "3"]]
    assert rows[2][3].startswith("+0.383 (")  # 0.3 + 0.05 (0 + 1 + 4) / 3
    assert [row[3] for row in bench.parts(store)[1:3]][1].startswith("+0.767 (")
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- table hurting -->\nold\n<!-- end -->\nb")
    bench.write(page, {"hurting": bench.markdown(rows)})
    assert page.read_text().splitlines()[:4] == [
        "a",
        "<!-- table hurting -->",
        "| configuration | layer | runs | net LCA | Holm p that it hurts |",
        "|---|---|---|---|---|",
    ]
