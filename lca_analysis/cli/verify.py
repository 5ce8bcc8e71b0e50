"""``lca verify``: whether every recorded bit is still what the recorder wrote."""

from typing import Any

import click

from lca_analysis.cli.output import emit, json_option, progress_from, quiet_option, to_json
from lca_analysis.errors import CorruptError, LcaError, explain


@click.command()
@click.argument("runs", nargs=-1, required=True)
@json_option
@quiet_option
def verify(runs: tuple[str, ...], as_json: bool, quiet: bool) -> int:
    """Check every checksum of RUNS and decode every recorded point, from keyframe to keyframe.

    A point's checksum is of its decoded bits, so "ok" means that every weight is what was recorded.
    All runs are checked, whatever is found. Exits with 0 when all are whole; with 5 when one is damaged,
    naming the file and the iteration; else with the code of the first that could not be opened.
    --json prints one list, with an object for each run.

    \b
    Examples:
      lca verify runs/first
      lca verify runs/* --json
    """
    codes, found = [], []
    for run in runs:
        facts, code = _verify(run, quiet)
        codes.append(code)
        found.append(facts)
        if not as_json:
            _show(facts)
    if as_json:
        click.echo(to_json(found))
    failed = [code for code in codes if code]
    return CorruptError.exit_code if CorruptError.exit_code in failed else next(iter(failed), 0)


def _verify(run: str, quiet: bool) -> tuple[dict[str, Any], int]:
    """Verify one run; gives what was found and the exit code."""
    from lca_analysis import verify as verify_run

    try:
        report = verify_run(run, progress=progress_from(quiet))
    except (LcaError, OSError) as error:
        reason, code = explain(error)
        return {"run": run, "ok": False, "error": reason}, code
    facts = {
        "run": run,
        "ok": report.ok,
        "segments": report.segments,
        "bytes": report.bytes,
        "points": report.points,
        "problems": list(report.problems),
        "notes": list(report.notes),
    }
    return facts, 0 if report.ok else CorruptError.exit_code


def _show(facts: dict[str, Any]) -> None:
    """Print what was found in one run; that it could not be opened is an error."""
    if "error" in facts:
        click.echo(f"lca: error: {facts['error']}", err=True)
    else:
        emit(facts, as_json=False)
