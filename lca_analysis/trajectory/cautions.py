"""What a reader of the statistics must know of how the points of a run were recorded."""

from lca_analysis.trajectory.importing.cautions import gaps
from lca_analysis.trajectory.run import Run

# By error fraction, how far percent helping of an iteration was off on average and at worst (percentage points), and
# the tensors' totals over the whole run and over the worst 20 iterations (percent): benchmarks/bounded.py.
MEASURED = {
    1 / 64: (0.01, 0.05, 0.004, 0.05),
    1 / 16: (0.03, 0.11, 0.004, 0.22),
    1 / 8: (0.03, 0.12, 0.03, 0.28),
    1 / 4: (0.08, 0.3, 0.04, 0.46),
    1 / 2: (0.35, 1.1, 0.2, 1.4),
    1: (1.5, 6.8, 0.4, 4.3),
}


def cautions(run: Run) -> list[str]:
    """Say what the recording of a run does to its statistics; nothing where every iteration is exact.

    Parameters
    ----------
    run : Run
        An open run.

    Returns
    -------
    list of str
        Sentences: of an end that is missing; of the import, or of the distance between recorded points; and of a
        bounded error.
    """
    source = run.manifest.source
    known = gaps(run.iterations.tolist(), "recorded points") if source is None else source.cautions
    missing = [] if run.cut_off is None else [run.cut_off]
    return [*missing, *known, *bounded_error(run.manifest.recording.error_fraction)]


def bounded_error(fraction: float) -> list[str]:
    """Say how exact the weights are, and what was measured at this error fraction or the next larger one measured."""
    if not fraction:
        return []
    measured = min(known for known in MEASURED if known >= fraction)
    mean, worst, totals, short = MEASURED[measured]
    return [
        f"recorded with a bounded error: each weight within {fraction:.3g} of its own running mean step, biases, "
        "other one-dimensional and small tensors exact. On mnist_fc (230 iterations of SGD) an error fraction of "
        f"{measured:.3g} moved the percent helping of an iteration by {mean:g} points on average and {worst:g} at "
        f"worst, the totals of tensors by {totals:g} % over the run and up to {short:g} % over 20 iterations; with "
        "other models, optimizers and stretches it can be several times that"
    ]
