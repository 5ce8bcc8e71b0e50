"""``lca compute``: replay runs and allocate their loss changes."""

from typing import Any

import click

from lca_analysis.cli.options import arguments_from
from lca_analysis.cli.output import json_option, progress_from, quiet_option, to_json
from lca_analysis.errors import ArgumentError, NumericalError


@click.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--store", required=True, help="Folder of the Parquet tables (made when missing).")
@click.option("--problem", help="package.module:function or file.py:function (default: the run's own).")
@click.option("--arg", "pairs", multiple=True, metavar="NAME=VALUE", help="An argument of --problem.")
@click.option("--split", "splits", multiple=True, help="A split of the problem; may be repeated (default: all).")
@click.option(
    "--rule", default="adaptive", show_default=True, help="Path rule: adaptive, strict, fast, paper; simpson, boole …"
)
@click.option("--tolerance", default=1e-3, show_default=True, help="Largest |residual| of an iteration.")
@click.option(
    "--relative-tolerance",
    default=0.0,
    show_default=True,
    help="The same as a fraction of the iteration's |loss change|, where that is more.",
)
@click.option("--max-pieces", default=32, show_default=True, help="Most pieces of an iteration.")
@click.option("--match", default="name", show_default=True, help="Pair tensors with the model's by name or order.")
@click.option("--elements", is_flag=True, help="Also keep the LCA of every parameter at every iteration.")
@click.option("--classes", is_flag=True, help="Also allocate the loss of each class, in rows of its own.")
@click.option("--directions", metavar="FILE", help="Also take LCA along the directions of a .npz or .safetensors file.")
@click.option(
    "--device", default="cpu", show_default=True, help="Where gradients are computed: cpu, cuda, cuda:1, mps …"
)
@click.option("--sample-seed", default=0, show_default=True, help="Chooses the parameters of the series table.")
@click.option("--other-data", is_flag=True, help="Compute although the data are not those recorded.")
@click.option("--workers", default=0, show_default="one per core", help="Processes; 0: one per core.")
@click.option("--overwrite", is_flag=True, help="Replace what the store has of these runs.")
@json_option
@quiet_option
def compute(runs: tuple[str, ...], store: str, other_data: bool, as_json: bool, quiet: bool, **options: Any) -> int:
    """Replay RUNS, allocate every loss change to the parameters, and keep the tables in --store.

    Interrupt it at any time: the same command goes on where it stopped. Exits with 7 when a loss or a
    gradient is not finite at some iteration; all others are stored.

    \b
    Examples:
      lca compute runs/first --store store
      lca compute runs/mine --store store --problem train.py:problem --split train
    """
    from lca_analysis import compute as compute_run
    from lca_analysis.allocation import Summary

    problem = _problem(options.pop("problem"), options.pop("pairs"))
    splits = list(options.pop("splits")) or None
    options["check_data"] = not other_data
    done: list[Summary] = []
    for run in runs:
        done.append(compute_run(run, store, problem, splits, progress=progress_from(quiet), **options))
        if not as_json:
            _tell(done[-1])
    if as_json:
        click.echo(to_json([summary.to_dict() for summary in done]))
    else:
        click.echo(f"tables are in {store}; go on with: lca analyze {store}")
    return NumericalError.exit_code if any(summary.nonfinite for summary in done) else 0


def _problem(target: str | None, pairs: tuple[str, ...]) -> Any:
    """Build the problem that the command line names; None leaves it to the run."""
    from lca_analysis import build_problem

    if target is None and pairs:
        raise ArgumentError("--arg goes with --problem")
    return None if target is None else build_problem(target, **arguments_from(pairs))


def _tell(summary: Any) -> None:
    """Print what a run came to, a line per split."""
    for split in summary.splits:
        click.echo(
            f"{summary.run} {split.split}: loss change {split.loss_change:+.6f}, allocated {split.allocated:+.6f}, "
            f"largest |residual| {split.largest_residual:.2e}, {split.iterations} iterations, "
            f"{split.gradient_evaluations} gradients"
        )
        if split.tolerance_missed:
            click.echo(f"  the tolerance was not met at {_some(split.tolerance_missed)}", err=True)
        if split.nonfinite:
            click.echo(f"  a loss or gradient is not finite at {_some(split.nonfinite)}", err=True)
    for note in summary.notes:
        click.echo(f"  {note}", err=True)
    if not summary.computed:
        click.echo("everything was computed already; nothing was done")


def _some(iterations: tuple[int, ...]) -> str:
    """Name the first few iterations."""
    shown = ", ".join(map(str, iterations[:5]))
    return f"iteration {shown}" + (f" and {len(iterations) - 5} more" if len(iterations) > 5 else "")
