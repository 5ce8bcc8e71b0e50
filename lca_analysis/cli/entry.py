"""The entry point: finds the verb, and turns every error into one line and a documented exit code."""

import keyword
import sys
import traceback
import warnings
from importlib import import_module

import click

from lca_analysis.cli.interruption import INTERRUPTED, every_interruption_heard
from lca_analysis.errors import LcaError, explain

VERBS = (
    "demo", "train", "import", "info", "verify", "compute", "analyze", "compare", "report", "animate", "batch",
    "tables",
)  # fmt: skip

EXIT_CODES = """\b
Exit codes:
  0    done
  1    a bug in lca-analysis (run again with --debug and report it)
  2    wrong command line or argument
  3    a folder, file, table, run, split or layer is not there
  4    not a run or a store, or one written by a newer version
  5    a damaged run or store
  6    problem, model, data or settings differ from what was recorded
  7    the numbers do not allow it (loss not finite, no iterations)
  8    an optional package is missing
  9    a file or folder cannot be read or written (permission, something in the way, disk full)
  10   some runs of a batch failed; its summary names them and says why
  130  interrupted; the same command goes on where it stopped (lca train with --resume; lca import begins anew)
"""


class Verbs(click.Group):
    """A group that imports a verb's module when the verb is used, so that help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs in the order of the work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb; None when there is none of that name."""
        if cmd_name not in VERBS:
            return None
        place = cmd_name + "_" * keyword.iskeyword(cmd_name)
        command: click.Command = getattr(import_module(f"lca_analysis.cli.{place}"), place)
        return command


@click.group(cls=Verbs, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lca-analysis", prog_name="lca")
@click.option("--debug", is_flag=True, help="Show the traceback when something fails.")
def lca(debug: bool) -> None:
    """See what every parameter did to the loss.

    A training run is recorded as compact deltas (lca train, or lca_analysis.Recorder in your own
    loop), or made of checkpoints (lca import); lca compute replays it and allocates every loss change
    to the parameters; lca analyze runs the statistics; lca report draws the page. Start with: lca demo
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with a documented code.

    Parameters
    ----------
    arguments : list of str, optional
        The command line without the program's name; by default the process's own.
    """
    given = sys.argv[1:] if arguments is None else arguments
    sys.exit(_run(given))


def _run(arguments: list[str]) -> int:
    """Run one command line and give its exit code; warnings are lines like errors."""
    with warnings.catch_warnings():
        for kind in (UserWarning, RuntimeWarning):
            warnings.simplefilter("always", kind)
        warnings.showwarning = _warn
        with every_interruption_heard():
            return _guarded(arguments)


def _guarded(arguments: list[str]) -> int:
    """Run one command line; every exception becomes a line and an exit code."""
    try:
        result = lca.main(args=arguments, prog_name="lca", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: the same command goes on where it stopped", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away: nothing is left to say
        return 0
    except Exception as error:
        return _fail(error, arguments)
    return result if isinstance(result, int) else 0


def _fail(error: Exception, arguments: list[str]) -> int:
    """Say in one line what went wrong; the traceback is for --debug."""
    if "--debug" in arguments:
        traceback.print_exception(error)
    reason, code = explain(error)
    is_bug = not isinstance(error, LcaError | OSError)
    hint = " (run again with `lca --debug …` for the traceback)" if is_bug else ""
    click.echo(f"lca: error: {reason}{hint}", err=True)
    return code


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Show a warning as one line."""
    click.echo(f"lca: warning: {' '.join(str(message).split())}", err=True)
