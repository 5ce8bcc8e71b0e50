"""The figures: each takes a frame of a table's columns and draws them, and computes nothing."""

from lca_analysis.report.figures.cumulative import figure_cumulative, plot_cumulative
from lca_analysis.report.figures.helping import figure_helping, plot_layer_helping, plot_percent_helping
from lca_analysis.report.figures.histogram import figure_histogram, plot_histogram_count, plot_histogram_lca
from lca_analysis.report.figures.lag import figure_lag, plot_lag, plot_lag_curve
from lca_analysis.report.figures.layers import figure_layers, plot_layer_gross, plot_layer_net
from lca_analysis.report.figures.loss import figure_loss, plot_loss, plot_residual
from lca_analysis.report.figures.parameter_helping import (
    figure_parameter_helping,
    plot_parameter_helping,
    plot_parameter_helping_layers,
)
from lca_analysis.report.figures.parts import figure_parts, plot_part
from lca_analysis.report.figures.peaks import figure_peaks, plot_coincidence, plot_peaks
from lca_analysis.report.figures.spectra import figure_spectra, plot_power, plot_spectral_lca
from lca_analysis.report.figures.synchronization import plot_synchronization
from lca_analysis.report.figures.units import figure_units, plot_units

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
    "figure_spectra",
    "figure_units",
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
    "plot_power",
    "plot_residual",
    "plot_spectral_lca",
    "plot_synchronization",
    "plot_units",
]
