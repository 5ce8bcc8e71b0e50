"""``lca report``: the figures and the page of each run."""

import click

from lca_analysis.cli.output import progress_from, quiet_option


@click.command()
@click.argument("store")
@click.option("--out", default="report", show_default=True, help="Folder for the pages and figures.")
@click.option("--run", help="Only this run (default: every run of the store).")
@click.option("--pdf", is_flag=True, help="Write report.pdf beside each page: what was found, and the figures.")
@quiet_option
def report(store: str, out: str, run: str | None, pdf: bool, quiet: bool) -> None:
    """Write one HTML page per run of STORE, with its figures as PNG and SVG files and their numbers as tables.

    The page needs no network. Needs the results of `lca analyze`.

    \b
    Example:
      lca report store --out report
    """
    from lca_analysis.report import report as write_report

    for page in write_report(store, out, run=run, progress=progress_from(quiet), pdf=pdf):
        click.echo(page)
