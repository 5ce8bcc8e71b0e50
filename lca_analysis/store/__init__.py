"""The store: every number as Parquet tables that pandas, DuckDB and Polars read as they are."""

from lca_analysis.store.bins import BINS, bin_edges, bin_numbers
from lca_analysis.store.layout import part_name, partitioning
from lca_analysis.store.marker import FORMAT_VERSION
from lca_analysis.store.schema import SCHEMA_VERSION, TableSchema
from lca_analysis.store.schemas import TABLES
from lca_analysis.store.store import Store, open_store
from lca_analysis.store.summary import describe

__all__ = [
    "BINS",
    "FORMAT_VERSION",
    "SCHEMA_VERSION",
    "TABLES",
    "Store",
    "TableSchema",
    "bin_edges",
    "bin_numbers",
    "describe",
    "open_store",
    "part_name",
    "partitioning",
]
