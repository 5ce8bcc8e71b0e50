"""``lca info``: what is in a run folder or a store."""

from pathlib import Path

import click

from lca_analysis.cli.output import emit, json_option
from lca_analysis.errors import ArgumentError, FormatError, NotFoundError


@click.command()
@click.argument("path")
@json_option
def info(path: str, as_json: bool) -> None:
    """Say what is in PATH, a run folder or a store: how far it got, how compact it is, what made it.

    \b
    Examples:
      lca info runs/first
      lca info store --json
    """
    from lca_analysis.store import describe as describe_store
    from lca_analysis.store import open_store
    from lca_analysis.trajectory import describe as describe_run
    from lca_analysis.trajectory import open_run

    if not path:
        raise ArgumentError("the path is empty; name a run folder or a store")
    if (Path(path) / "store.json").exists():
        emit(describe_store(open_store(path)), as_json)
    elif "://" in path or (Path(path) / "run.json").exists():
        emit(describe_run(open_run(path)), as_json)
    elif Path(path).exists():
        raise FormatError(f"{path} is neither a run (no run.json) nor a store (no store.json)")
    else:
        raise NotFoundError(f"{path} does not exist; name a run folder or a store")
