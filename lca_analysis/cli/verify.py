"""``lca verify``: whether every recorded bit is still what the recorder wrote."""

from typing import Any

import click

from lca_analysis.cli.output import emit, json_option, progress_from, quiet_option


@click.command()
@click.argument("runs", nargs=-1, required=True)
@json_option
@quiet_option
def verify(runs: tuple[str, ...], as_json: bool, quiet: bool) -> int:
    """Check every checksum of RUNS and decode every recorded point, from keyframe to keyframe.

    A point's checksum is of its decoded bits, so "ok" means that every weight is what was recorded.
    Exits with 5 when a run is damaged, naming the file and the iteration.

    \b
    Example:
      lca verify runs/first
    """
    from lca_analysis import verify as verify_run
    from lca_analysis.errors import CorruptError

    damaged = 0
    for run in runs:
        report = verify_run(run, progress=progress_from(quiet))
        facts: dict[str, Any] = {
            "run": run,
            "ok": report.ok,
            "points": report.points,
            "problems": list(report.problems),
            "notes": list(report.notes),
        }
        emit(facts, as_json)
        damaged += not report.ok
    return CorruptError.exit_code if damaged else 0
