"""Where the texts of a figure are."""

from matplotlib.backends.backend_agg import FigureCanvasAgg

TOUCH = 2.0
"""Pixels that do not count."""


def texts(figure):
    """Give every text that can be seen, with its box in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = []
    for ax in figure.axes:
        own = [ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
        ticks = [tick.label1 for axis in (ax.xaxis, ax.yaxis) for tick in axis.get_major_ticks() if in_view(axis, tick)]
        legend = ax.get_legend()
        found += [*own, *ticks, *(legend.get_texts() if legend else [])]
    return [(text, text.get_window_extent(renderer)) for text in found if text.get_visible() and text.get_text()]


def in_view(axis, tick):
    """Say whether a tick lies within its axis, so that its label is drawn."""
    low, high = sorted(axis.get_view_interval())
    return tick.label1.get_visible() and low <= tick.get_loc() <= high


def cut_off(figure):
    """List the texts that leave the figure."""
    width, height = figure.bbox.size
    return [
        text.get_text()
        for text, box in texts(figure)
        if min(box.x0, box.y0) < -TOUCH or box.x1 > width + TOUCH or box.y1 > height + TOUCH
    ]
