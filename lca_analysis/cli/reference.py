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
    top = click.Context(lca, info_name="lca", max_content_width=WIDTH, terminal_width=WIDTH, **lca.context_settings)
    parts = [HEAD, _section(top)]
    for verb in VERBS:
        command = lca.get_command(top, verb)
        parts += _sections(command, verb, top) if command else []
    return "\n".join(parts)


def _sections(command: click.Command, verb: str, above: click.Context) -> list[str]:
    """Write a command and those beneath it."""
    context = click.Context(command, parent=above, info_name=verb)
    beneath = command.commands if isinstance(command, click.Group) else {}
    parts = [part for name, inner in beneath.items() for part in _sections(inner, name, context)]
    return [_section(context), *parts]


def _section(context: click.Context) -> str:
    """Write one command's help under its heading."""
    text = "\n".join(line.rstrip() for line in context.command.get_help(context).splitlines())
    return f"## {context.command_path}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    click.echo(reference(), nl=False)
