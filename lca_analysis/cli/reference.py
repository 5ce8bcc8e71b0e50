"""The reference of the command line as a Markdown document: ``python -m lca_analysis.cli.reference > docs/cli.md``."""

import click

from lca_analysis.cli.entry import VERBS, lca

HEAD = """# The command line

Written by `python -m lca_analysis.cli.reference`, from the commands themselves. The exit codes are in
[exit_codes.md](exit_codes.md).
"""
WIDTH = 100


def reference() -> str:
    """Write what ``lca --help`` and ``lca VERB --help`` say, verb by verb.

    Returns
    -------
    str
        Markdown.
    """
    parts = [HEAD, _section(lca, "lca", 2)]
    top = click.Context(lca, info_name="lca", max_content_width=WIDTH, terminal_width=WIDTH)
    for verb in VERBS:
        command = lca.get_command(top, verb)
        parts += _sections(command, f"lca {verb}") if command else []
    return "\n".join(parts)


def _sections(command: click.Command, name: str) -> list[str]:
    """Write a command and those beneath it."""
    beneath = command.commands if isinstance(command, click.Group) else {}
    return [
        _section(command, name, 2),
        *(part for verb, inner in beneath.items() for part in _sections(inner, f"{name} {verb}")),
    ]


def _section(command: click.Command, name: str, level: int) -> str:
    """Write one command's help under its heading."""
    context = click.Context(command, info_name=name, max_content_width=WIDTH, terminal_width=WIDTH)
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"{'#' * level} {name}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    click.echo(reference(), nl=False)
