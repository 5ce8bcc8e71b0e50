"""``lca compare``: configurations over their seeds, and against each other."""

import click

from lca_analysis.cli.output import json_option, to_json


@click.command()
@click.argument("store")
@click.option("--baseline", metavar="GROUP", help="Compare with this configuration (default: the first recorded).")
@click.option("--split", help="Only this split, such as train or validation (default: all).")
@json_option
def compare(store: str, baseline: str | None, split: str | None, as_json: bool) -> None:
    """Pool the runs of STORE by configuration, and compare configurations seed by seed.

    Does layers' net LCA differ from 0 over seeds? What did freezing a layer do to the loss and to the
    other layers? The unit of replication is the run; runs that cannot be used are named. lca analyze
    does the same after its analyses of single runs.

    \b
    Example:
      lca train mnist_fc runs/plain --seeds 0-9
      lca train mnist_fc runs/frozen --seeds 0-9 --freeze fc3
      lca compute runs/plain/* runs/frozen/* --store store
      lca compare store
      lca tables store results_comparison --rows 0
    """
    from lca_analysis import compare as compare_runs

    done = compare_runs(store, baseline, split)
    if as_json:
        click.echo(to_json([vars(one) for one in done]))
        return
    for one in done:
        for group, runs in one.groups.items():
            against = f", compared with {one.baselines[group]}" if group in one.baselines else ""
            click.echo(f"{one.split}: {group}: {runs} run{'' if runs == 1 else 's'}{against}")
        for note in one.notes:
            click.echo(f"{one.split}: {note}", err=True)
    click.echo(f"results are in {store}; see: lca tables {store} results_seeds, lca tables {store} results_comparison")
