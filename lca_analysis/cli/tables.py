"""``lca tables``: the Parquet tables from the command line."""

import sys

import click
import pandas as pd

from lca_analysis.cli.output import emit, json_option, to_json
from lca_analysis.errors import NotFoundError
from lca_analysis.store import TABLES, Store, open_store


@click.command()
@click.argument("store")
@click.argument("table", required=False)
@click.option("--run", help="Only this run.")
@click.option("--split", help="Only this split, such as train or validation.")
@click.option("--columns", help="Only these columns, separated by commas.")
@click.option(
    "--rows", default=20, type=click.IntRange(min=0), show_default=True, help="At most this many rows; 0 means all."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@json_option
def tables(
    store: str,
    table: str | None,
    run: str | None,
    split: str | None,
    columns: str | None,
    rows: int,
    as_csv: bool,
    as_json: bool,
) -> None:
    """List the tables of STORE, or print TABLE.

    \b
    Examples:
      lca tables store
      lca tables store layers --split train --columns iteration,layer,lca --rows 0 --csv > layers.csv
    """
    opened = open_store(store)
    if table is None:
        emit(_contents(opened), as_json)
        return
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other")
    wanted = None if columns is None else [name.strip() for name in columns.split(",")]
    frame = opened.table(table, run=run, split=split, columns=wanted)
    _print(frame, rows, as_csv, as_json)


def _contents(store: Store) -> dict[str, str]:
    """Every table that the store holds, with what a row of it is."""
    present = {name: TABLES[name].description for name in store.tables()}
    if not present:
        raise NotFoundError(f"{store.path} holds no tables yet; fill it with: lca compute RUN --store {store.path}")
    return present


def _print(frame: pd.DataFrame, rows: int, as_csv: bool, as_json: bool) -> None:
    """Print the first rows in the form that was asked for."""
    shown = frame if rows == 0 else frame.head(rows)
    if as_csv:
        shown.to_csv(sys.stdout, index=False)
    elif as_json:
        click.echo(to_json(shown.to_dict("records")))
    else:
        click.echo(shown.to_string(index=False))
        if len(shown) < len(frame):
            click.echo(f"… {len(frame) - len(shown):,} more rows (--rows 0 prints all)", err=True)
