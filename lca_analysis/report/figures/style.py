"""The look that all figures share: colours, sizes and a style context that leaves no trace."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import ParamSpec, TypeVar

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap

HELPING = "#0072B2"
HURTING = "#D55E00"
HELPING_LIGHT = "#9CCBE8"
HURTING_LIGHT = "#F5BE97"
INK = "#1F2A33"
MUTED = "#6B7780"
FAINT = "#DDE2E6"
SECOND = "#7B4FA3"
ALONE = "#868F96"
MISSING = "#E4E7EA"
WIDTH = 7.6

P = ParamSpec("P")
R = TypeVar("R")

STYLE: dict[str, object] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.2,
    "figure.dpi": 100.0,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "lca-analysis",
}


def style_context() -> AbstractContextManager[None]:
    """Give the context in which every figure is drawn and saved.

    Returns
    -------
    context manager
        Matplotlib's defaults with the report's style on top, so that no personal settings leak in; what was
        set before is back when it ends.
    """
    return style.context(["default", STYLE])


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Run a drawing function inside the style context, except on axes that the caller has made."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        if any(isinstance(value, Axes) for value in (*args, *kwargs.values())):
            return draw(*args, **kwargs)
        with style_context():
            return draw(*args, **kwargs)

    return inside


def _colormap(name: str, colors: list[str]) -> Colormap:
    """Make a map of evenly spaced colours that shows missing values in grey."""
    return LinearSegmentedColormap.from_list(name, colors).with_extremes(bad=MISSING)


LCA_COLORS = _colormap("lca", ["#003F66", HELPING, "#7DBBE0", "#FAFAF8", "#F2AA77", HURTING, "#7A3300"])
HELPING_COLORS = LCA_COLORS.reversed().with_extremes(bad=MISSING)
SHARE_COLORS = _colormap("share", ["#FAFAF8", "#C9BEDD", "#8E6FB5", "#4B2A78", "#23103F"])
SIGNED_COLORS = _colormap("signed", ["#0B5D4B", "#5CAE99", "#FAFAF8", "#B08BC7", "#5B2A86"])
DEPTH_COLORS = _colormap("depth", ["#6A5FD8", "#A04FB4", "#C4508F", "#4C9A8B", "#2F8F5B", "#8A9A1E"])


def sign_color(value: float) -> str:
    """Give the colour of an LCA: blue for helping (negative), vermilion for hurting, grey for zero."""
    if value < 0:
        return HELPING
    return HURTING if value > 0 else MUTED


def depth_colors(count: int) -> list[str]:
    """Give one colour per layer, from the input (dark) to the output."""
    from matplotlib.colors import to_hex

    return [to_hex(DEPTH_COLORS(0.0 if count == 1 else place / (count - 1))) for place in range(count)]
