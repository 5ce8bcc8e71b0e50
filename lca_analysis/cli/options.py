"""Options that several verbs share."""

import json
from typing import Any

from lca_analysis.errors import ArgumentError


def arguments_from(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Read NAME=VALUE pairs; a value that is no JSON is a word.

    Raises
    ------
    ArgumentError
        A pair has no "=".
    """
    arguments: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ArgumentError(f"--arg takes NAME=VALUE, not {pair!r}")
        try:
            arguments[name] = json.loads(value)
        except json.JSONDecodeError:
            arguments[name] = value
    return arguments
