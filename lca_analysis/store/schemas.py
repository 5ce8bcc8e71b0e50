"""Every table of the store, by name."""

from lca_analysis.errors import NotFoundError
from lca_analysis.store import lca_tables, run_tables
from lca_analysis.store.result_tables import ALL_RESULTS
from lca_analysis.store.schema import TableSchema

_ALL = (
    run_tables.RUNS,
    run_tables.COMPUTATIONS,
    run_tables.LAYERS_INDEX,
    run_tables.PARAMETERS_INDEX,
    lca_tables.ITERATIONS,
    lca_tables.LAYERS,
    lca_tables.UNITS,
    lca_tables.PARAMETERS,
    lca_tables.HISTOGRAM,
    lca_tables.SERIES,
    lca_tables.DIRECTIONS,
    lca_tables.ELEMENTS,
    *ALL_RESULTS,
)

TABLES: dict[str, TableSchema] = {table.name: table for table in _ALL}
"""The tables, from what was recorded to what was concluded."""


def schema_of(name: str) -> TableSchema:
    """Look a table up.

    Parameters
    ----------
    name : str
        Name of the table.

    Returns
    -------
    TableSchema
        The table.

    Raises
    ------
    NotFoundError
        There is no table of this name.
    """
    if name not in TABLES:
        raise NotFoundError(f"there is no table named {name!r}; the tables are: {', '.join(TABLES)}")
    return TABLES[name]
