"""How the verbs print: JSON for scripts, aligned lines for people."""

import json
import math
from collections.abc import Mapping
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
quiet_option = click.option("--quiet", is_flag=True, help="Show no progress bar.")


def emit(facts: Mapping[str, Any], as_json: bool) -> None:
    """Print facts as one JSON object, or a line each."""
    if as_json:
        click.echo(to_json(facts))
        return
    width = max((len(name) for name in facts), default=0) + 2
    for name, value in facts.items():
        click.echo(f"{name:<{width}}{_shown(value)}")


def to_json(value: Any) -> str:
    """Write strict JSON with every digit; what is no number (NaN, infinities, missing) becomes null."""
    return json.dumps(_strict(value), indent=2, default=str, allow_nan=False)


def _strict(value: Any) -> Any:
    """Turn values of numpy, pandas and Python into those that JSON has."""
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if hasattr(value, "tolist"):
        return _strict(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if value is None or type(value).__name__ in ("NAType", "NaTType") else value


def _shown(value: Any) -> str:
    """One value as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        separator = "\n    " if any(isinstance(item, Mapping | list) for item in value.values()) else ", "
        joined = separator.join(f"{key}={_shown(item)}" for key, item in value.items()) or "none"
        return separator + joined if separator.startswith("\n") else joined
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(item) for item in value) or "none"
    return "none" if value is None else str(value)


def progress_from(quiet: bool) -> bool | None:
    """Translate --quiet to what the package's functions take: False hides, None shows on a terminal."""
    return False if quiet else None
