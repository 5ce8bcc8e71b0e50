"""The figures: each takes a frame of a table's columns and draws them, and computes nothing."""

from lca_analysis.report.figures.cumulative import figure_cumulative
from lca_analysis.report.figures.helping import figure_helping
from lca_analysis.report.figures.histogram import figure_histogram
from lca_analysis.report.figures.lag import figure_lag
from lca_analysis.report.figures.layers import figure_layers
from lca_analysis.report.figures.loss import figure_loss
from lca_analysis.report.figures.parameter_helping import figure_parameter_helping
from lca_analysis.report.figures.parts import figure_parts
from lca_analysis.report.figures.peaks import figure_peaks
from lca_analysis.report.figures.phase import figure_phase
from lca_analysis.report.figures.spectra import figure_spectra
from lca_analysis.report.figures.traces import figure_traces
from lca_analysis.report.figures.units import figure_units

__all__ = [
    "figure_cumulative",
    "figure_helping",
    "figure_histogram",
    "figure_lag",
    "figure_layers",
    "figure_loss",
    "figure_parameter_helping",
    "figure_parts",
    "figure_peaks",
    "figure_phase",
    "figure_spectra",
    "figure_traces",
    "figure_units",
]
