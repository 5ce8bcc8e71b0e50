"""``lca batch``: many runs from recording to report."""

from typing import Any

import click

from lca_analysis.cli.options import arguments_from
from lca_analysis.cli.output import json_option, progress_from, quiet_option, to_json

SOME_FAILED = 10


@click.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--store", help="Folder of the Parquet tables (default: store, or the batch file's).")
@click.option("--out", help="Folder of the reports and the summary (default: report, or the batch file's).")
@click.option("--problem", help="package.module:function or file.py:function (default: each run's own).")
@click.option("--arg", "pairs", multiple=True, metavar="NAME=VALUE", help="An argument of --problem.")
@click.option("--split", "splits", multiple=True, help="A split of the problem; may be repeated (default: all).")
@click.option("--rule", help="Path rule (default: adaptive).")
@click.option("--tolerance", type=float, help="Largest |residual| of an iteration (default: 0.001).")
@click.option("--relative-tolerance", type=float, help="The same as a fraction of |loss change| (default: 0).")
@click.option("--max-pieces", type=int, help="Most pieces of an iteration (default: 32).")
@click.option("--match", help="Pair tensors with the model's by name or order (default: name).")
@click.option("--seed", type=int, help="Seed of the analyses (default: 0).")
@click.option("--peak-tolerance", type=int, help="Recorded steps that shared moments may lie apart (default: 0).")
@click.option("--spans", type=int, help="Most spans in which layers are tested for hurting (default: 10).")
@click.option("--shortest-span", type=int, help="Fewest recorded steps of a span (default: 50).")
@click.option("--other-data", is_flag=True, help="Compute although the data are not those recorded.")
@click.option("--workers", default=0, show_default="one per core", help="Runs at a time; 0: one per core.")
@json_option
@quiet_option
def batch(
    runs: tuple[str, ...],
    store: str | None,
    out: str | None,
    pairs: tuple[str, ...],
    splits: tuple[str, ...],
    other_data: bool,
    workers: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Compute, analyze and report RUNS, several at a time, and sum them up in a page and a table.

    RUNS are run folders, patterns, folders of runs, or one batch file (.toml, with settings run by run). Only what is
    missing or stale is done. A run that fails does not stop the others: the summary names it and says why, and the
    exit code is 10.

    \b
    Examples:
      lca batch runs
      lca batch 'runs/sgd*' 'runs/adam*' --store store --out report
      lca batch batch.toml
    """
    from lca_analysis import batch as run_batch

    settings = {name: value for name, value in options.items() if value is not None}
    settings |= {"arguments": arguments_from(pairs)} if pairs else {}
    settings |= {"splits": list(splits)} if splits else {}
    settings |= {"check_data": False} if other_data else {}
    result = run_batch(runs, store, out, workers=workers, progress=progress_from(quiet), **settings)
    if as_json:
        click.echo(to_json([{**vars(outcome), "failed": outcome.failed} for outcome in result.outcomes]))
    else:
        _tell(result)
    return SOME_FAILED if result.failed else 0


def _tell(result: Any) -> None:
    """Say what was done, what failed, and where the summary is."""
    for outcome in result.outcomes:
        if outcome.did:
            click.echo(f"{outcome.run}: {', '.join(outcome.did)}")
        for note in outcome.notes:
            click.echo(f"  {outcome.run}: {note}", err=True)
    for outcome in result.failed:
        click.echo(f"lca: {outcome.run} failed at {outcome.stage}: {outcome.reason}", err=True)
    done = len(result.outcomes) - len(result.failed)
    if result.did_nothing and done:
        click.echo(f"{done} of {len(result.outcomes)} runs were up to date; nothing was done")
    click.echo(f"{done} reported, {len(result.failed)} failed; open {result.page}")
