"""Which figures a page has, in its order: what each shows, what it needs, and how it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lca_analysis.report import behind, figures
from lca_analysis.report.figures.class_peaks import plot_class_peaks
from lca_analysis.report.figures.synchronization import plot_synchronization
from lca_analysis.report.sources import Sources


@dataclass(frozen=True)
class Drawing:
    """A figure of the page.

    Attributes
    ----------
    name : str
        Name of its files, and of its place on the page.
    title : str
        Its heading.
    caption : str
        What it shows and how it is read.
    tables : tuple of str
        The tables of the store that it needs.
    read : callable
        Gives the frames behind it by name; raises NotFoundError where the tables hold nothing to draw.
    plot : callable
        Draws these frames, in their order.
    """

    name: str
    title: str
    caption: str
    tables: tuple[str, ...]
    read: Callable[[Sources], dict[str, pd.DataFrame]]
    plot: Callable[..., Figure]

    def draw(self, sources: Sources) -> Figure:
        """Read and draw."""
        return self.plot(*self.read(sources).values())


def _loss(points: pd.DataFrame, steps: pd.DataFrame) -> Figure:
    """Draw the loss, and the residuals beside the tolerance that they had to meet."""
    return figures.figure_loss(points, steps, float(steps["tolerance"].iloc[0]))


def _lag(curve: pd.DataFrame, lags: pd.DataFrame) -> Figure:
    """Draw cross-correlations and lags, beside the momentum where there was one."""
    momentum = lags["momentum"].iloc[0]
    return figures.figure_lag(curve, lags, None if pd.isna(momentum) else float(momentum))


def _one_panel(plot: Callable[[pd.DataFrame], Axes]) -> Callable[[pd.DataFrame], Figure]:
    """Make a figure of a single plot."""
    return lambda frame: plot(frame).get_figure(root=True)  # type: ignore[return-value]


DRAWINGS = (
    Drawing(
        "loss",
        "Loss and residual",
        "Thin: the loss over the whole split. Broad: the first loss plus the running sum of everything that was "
        "allocated; where the two part, the allocation misses something. Beneath: what it misses in each step.",
        ("iterations", "computations"),
        behind.loss,
        _loss,
    ),
    Drawing(
        "layers",
        "Which layers help, which hurt",
        "Left: all helping and all hurting of a layer's parameters, summed apart. Right: what is left of them. "
        "Blue lowered the loss, vermilion raised it.",
        ("layers",),
        behind.layers,
        figures.figure_layers,
    ),
    Drawing(
        "cumulative",
        "What each layer has contributed so far",
        "A line that falls is a layer that is learning. Lines in the upper half have raised the loss on balance.",
        ("results_cumulative",),
        behind.cumulative,
        figures.figure_cumulative,
    ),
    Drawing(
        "helping",
        "How many parameters help",
        "The share of moving parameters whose motion lowered the loss in each step; exact zeros are left out.",
        ("results_helping_series",),
        behind.table("helping", "results_helping_series"),
        figures.figure_helping,
    ),
    Drawing(
        "parameter_helping",
        "How often a parameter helps",
        "Every parameter counted once, by the share of its steps in which it helped.",
        ("results_parameter_helping",),
        behind.table("parameter_helping", "results_parameter_helping"),
        figures.figure_parameter_helping,
    ),
    Drawing(
        "histogram",
        "Small motions and large ones",
        "Every parameter in every step, by the size of its LCA: how many there are of each size, on a linear and on a "
        "log axis, and, beneath, the loss change that they carry.",
        ("histogram",),
        behind.histogram,
        figures.figure_histogram,
    ),
    Drawing(
        "units",
        "Neurons and channels",
        "One row per neuron or channel, from the most helping to the most hurting of its layer; those that moved the "
        "loss most where a layer has many. Colours are linear near zero and logarithmic beyond.",
        ("units",),
        behind.units,
        figures.figure_units,
    ),
    Drawing(
        "traces",
        "Two parameters that oscillate",
        "Of the sampled parameters whose steps oscillate and that move the loss, the one that helped most and the one "
        "that hurt most, or helped least; of long runs, the middle. The gradient is its mean along each step.",
        ("results_oscillation", "series"),
        behind.traces,
        figures.figure_traces,
    ),
    Drawing(
        "spectra",
        "Oscillation",
        "The power of each layer's steps and path gradients by period, and at which periods the layer helps or hurts. "
        "∞ is the steady part. From the sampled parameters.",
        ("results_spectra",),
        behind.table("spectra", "results_spectra"),
        figures.figure_spectra,
    ),
    Drawing(
        "phase",
        "Phase",
        "Left: by what angle a layer's steps and its negative path gradients differ at each period; below 90° the "
        "steps go with the negative gradient. Right: how far the two go together; where it is pale, the angle means "
        "little.",
        ("results_spectra",),
        behind.table("phase", "results_spectra"),
        figures.figure_phase,
    ),
    Drawing(
        "lag",
        "Lag behind the gradient",
        "How many iterations a layer's steps follow its negative path gradient. A layer that lags by more than a "
        "quarter of a period moves against its gradient. Momentum m delays by m/(1−m) on average.",
        ("results_lag_curve", "results_oscillation"),
        behind.lag,
        _lag,
    ),
    Drawing(
        "parts",
        "What moved the parameters",
        "Each layer's LCA, divided among the fresh gradient, the momentum carried over and weight decay; the three "
        "add up to it.",
        ("layers",),
        behind.parts,
        figures.figure_parts,
    ),
    Drawing(
        "peaks",
        "Moments of learning",
        "The iterations in which each layer lowered the loss most, and how many layers have theirs at the same time.",
        ("results_peaks",),
        behind.peaks,
        figures.figure_peaks,
    ),
    Drawing(
        "class_peaks",
        "Moments of learning by class",
        "The iterations in which each layer lowered the loss of the examples of one class most; where there are many "
        "classes and layers, of the classes that learned most.",
        ("results_peaks",),
        behind.class_peaks,
        _one_panel(plot_class_peaks),
    ),
    Drawing(
        "synchronization",
        "Layers that learn together",
        "How many moments of learning each pair of layers shares.",
        ("results_synchronization",),
        behind.pairs,
        _one_panel(plot_synchronization),
    ),
)
