"""``lca demo``: the whole way, from training to the report, on real data."""

from pathlib import Path
from typing import Any

import click

from lca_analysis.cli.output import progress_from, quiet_option
from lca_analysis.errors import LcaError, MismatchError

_PROBLEM = "mnist_fc"
_TOLERANCE = 1e-4  # a tenth of the default: residuals have one sign mostly, and 400 of them add up


@click.command()
@click.option("--out", default="demo", show_default=True, help="Folder for run, store and report.")
@click.option("--iterations", default=400, show_default=True, help="Training iterations.")
@click.option("--workers", default=0, show_default="one per core", help="Processes that compute; 0: one per core.")
@quiet_option
def demo(out: str, iterations: int, workers: int, quiet: bool) -> None:
    """Train mnist_fc on 4,000 real MNIST images, allocate its loss changes, analyze, and write the report.

    Takes a few minutes. What a first call has finished, a second one uses.

    \b
    Example:
      lca demo --out demo
    """
    from lca_analysis import analyze, compute, report

    root, progress = Path(out), progress_from(quiet)
    run, store = root / "runs" / _PROBLEM, root / "store"
    recorded = _record(run, iterations, progress)
    click.echo(f"1/4 recorded: {recorded} in {run}")
    (train, *_) = compute(run, store, tolerance=_TOLERANCE, workers=workers, progress=progress).splits
    click.echo(
        f"2/4 computed: loss change {train.loss_change:+.4f}, allocated {train.allocated:+.4f}, "
        f"largest |residual| {train.largest_residual:.1e}"
    )
    analyze(store, run=recorded.name, progress=progress)
    click.echo(f"3/4 analyzed: results are in {store}")
    (page,) = report(store, root / "report", run=recorded.name, progress=progress)
    click.echo(f"4/4 reported: open {page}")


def _record(run: Path, iterations: int, progress: bool | None) -> Any:
    """Train, or open what an earlier call has recorded."""
    from lca_analysis import build_problem, open_run, train
    from lca_analysis.problems import TrainingSettings

    if run.exists() and any(run.iterdir()):
        try:
            earlier = open_run(run)
        except LcaError as error:
            raise MismatchError(f"{run} holds something else: {error}; name another folder with --out") from error
        if earlier.complete and len(earlier.iterations) == iterations + 1:
            return earlier
        if earlier.complete:
            raise MismatchError(
                f"{run} holds a run of {len(earlier.iterations) - 1} iterations, not {iterations}; "
                "name another folder with --out"
            )
    # An interrupted training cannot go on without its optimizer's state: it begins again.
    return train(build_problem(_PROBLEM), run, TrainingSettings(iterations=iterations), run.exists(), progress)
