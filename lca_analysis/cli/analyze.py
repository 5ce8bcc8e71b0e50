"""``lca analyze``: the statistics over a store's tables."""

import click

from lca_analysis.cli.output import progress_from, quiet_option


@click.command()
@click.argument("store")
@click.option("--run", help="Only this run (default: every run of the store).")
@click.option("--split", help="Only this split, such as train or validation (default: all).")
@click.option("--seed", default=0, show_default=True, help="Seed of bootstraps and permutations.")
@click.option(
    "--peak-tolerance",
    default=0,
    show_default=True,
    help="Moments of learning at most so many recorded steps apart count as shared.",
)
@click.option("--spans", default=10, show_default=True, help="Most equal spans in which layers are tested for hurting.")
@click.option("--shortest-span", default=50, show_default=True, help="Fewest recorded steps of a span.")
@quiet_option
def analyze(store: str, run: str | None, split: str | None, seed: int, quiet: bool, **options: int) -> None:
    """Run the analyses over the tables of STORE and keep their results beside them.

    Percent helping, hurting layers, oscillation and phase lag, synchronised peaks: each result
    carries an estimate, an interval, a p-value, its null hypothesis, and a reason when there is none.
    Without --run also the analyses over runs: see lca compare.

    \b
    Examples:
      lca analyze store
      lca analyze store --peak-tolerance 1 --spans 4
    """
    from lca_analysis import analyze as analyze_store

    analyze_store(store, run=run, split=split, seed=seed, progress=progress_from(quiet), **options)
    click.echo(f"results are in {store}; draw them with: lca report {store}")
