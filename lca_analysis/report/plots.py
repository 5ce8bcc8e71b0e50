"""The plots for your own figures: each takes a frame and draws it on your axes, or on new ones.

They compute nothing, and touch neither pyplot nor matplotlib's settings. On axes of your own they use your settings
(``PAPER`` is a style for papers); axes that they make themselves have the look of the report. ``frames`` gives what
each figure of the report draws.
"""

import pandas as pd

from lca_analysis.errors import ArgumentError
from lca_analysis.report.catalogue import DRAWINGS
from lca_analysis.report.figures.class_peaks import plot_class_peaks
from lca_analysis.report.figures.cumulative import plot_cumulative
from lca_analysis.report.figures.helping import plot_layer_helping, plot_percent_helping
from lca_analysis.report.figures.histogram import plot_histogram_count, plot_histogram_lca
from lca_analysis.report.figures.lag import plot_lag, plot_lag_curve
from lca_analysis.report.figures.layers import plot_layer_gross, plot_layer_net
from lca_analysis.report.figures.loss import plot_loss, plot_residual
from lca_analysis.report.figures.parameter_helping import plot_parameter_helping, plot_parameter_helping_layers
from lca_analysis.report.figures.parts import plot_part
from lca_analysis.report.figures.peaks import plot_coincidence, plot_peaks
from lca_analysis.report.figures.phase import plot_coherence, plot_phase
from lca_analysis.report.figures.spectra import plot_power, plot_spectral_lca
from lca_analysis.report.figures.synchronization import plot_synchronization
from lca_analysis.report.figures.traces import plot_trace
from lca_analysis.report.figures.units import plot_units
from lca_analysis.report.sources import Sources
from lca_analysis.store import Store

__all__ = [
    "PAPER",
    "frames",
    "plot_class_peaks",
    "plot_coherence",
    "plot_coincidence",
    "plot_cumulative",
    "plot_histogram_count",
    "plot_histogram_lca",
    "plot_lag",
    "plot_lag_curve",
    "plot_layer_gross",
    "plot_layer_helping",
    "plot_layer_net",
    "plot_loss",
    "plot_parameter_helping",
    "plot_parameter_helping_layers",
    "plot_part",
    "plot_peaks",
    "plot_percent_helping",
    "plot_phase",
    "plot_power",
    "plot_residual",
    "plot_spectral_lca",
    "plot_synchronization",
    "plot_trace",
    "plot_units",
]

PAPER = "lca_analysis.report.paper"
"""Name of the style for papers, for ``matplotlib.style.context`` or ``matplotlib.style.use``."""


def frames(store: Store, run: str, figure: str) -> dict[str, pd.DataFrame]:
    """Read what a figure of the report draws.

    Parameters
    ----------
    store : Store
        The store, with the results of the analyses.
    run : str
        Name of the run.
    figure : str
        Name of the figure, such as "layers" or "lag".

    Returns
    -------
    dict of str to DataFrame
        The frames behind the figure by name, as they lie in the report's folder ``tables``.

    Raises
    ------
    ArgumentError
        There is no figure of that name.
    NotFoundError
        The store lacks the tables.
    """
    drawings = {drawing.name: drawing for drawing in DRAWINGS}
    if figure not in drawings:
        raise ArgumentError(f"the report has no figure {figure!r}; it has: {', '.join(drawings)}")
    return drawings[figure].read(Sources(store, run))
