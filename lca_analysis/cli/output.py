"""How the verbs print: JSON for scripts, aligned lines for people."""

import json
from collections.abc import Mapping
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
quiet_option = click.option("--quiet", is_flag=True, help="Show no progress bar.")


def emit(facts: Mapping[str, Any], as_json: bool) -> None:
    """Print facts as one JSON object, or a line each."""
    if as_json:
        click.echo(json.dumps(facts, indent=2, default=str))
        return
    width = max((len(name) for name in facts), default=0) + 2
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):<{width}}{_shown(value)}")


def _shown(value: Any) -> str:
    """One value as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_shown(item)}" for key, item in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(item) for item in value) or "none"
    return "none" if value is None else str(value)


def progress_from(quiet: bool) -> bool | None:
    """Translate --quiet to what the package's functions take: False hides, None shows on a terminal."""
    return False if quiet else None
