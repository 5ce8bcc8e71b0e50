"""Figures as pictures inside the page: vector where it is small, pixels where it is not, and never too much in all."""

from base64 import b64encode
from dataclasses import dataclass

from matplotlib.figure import Figure

from lca_analysis.report.dark import follow_scheme
from lca_analysis.report.saving import render_png

MOST_BYTES = 3_300_000
LARGEST_VECTOR = 600_000
COARSE_DPI = (110, 80, 60)
CSS_PIXELS = 96


@dataclass(frozen=True)
class Picture:
    """A picture for the page: its data URI, its size in CSS pixels, and whether it follows a dark page."""

    source: str
    width: int
    height: int
    vector: bool


def embed(figures: dict[str, Figure], files: dict[str, dict[str, bytes]], most: int = MOST_BYTES) -> dict[str, Picture]:
    """Choose the picture of every figure, so that all of them together stay below a size.

    Parameters
    ----------
    figures : dict of str to Figure
        The figures by name.
    files : dict of str to dict
        What `render` gave for each of them.
    most : int
        Largest sum of the pictures' sizes (bytes); figures are drawn more coarsely, the largest first, to keep it.

    Returns
    -------
    dict of str to Picture
        SVG for figures of few elements and heat maps, PNG for the others.
    """
    chosen = {name: _choose(rendered) for name, rendered in files.items()}
    left = {name: list(COARSE_DPI) for name in chosen}
    while sum(len(data) for _, data in chosen.values()) > most and any(left.values()):
        largest = max((name for name in left if left[name]), key=lambda name: (len(chosen[name][1]), name))
        chosen[largest] = ("image/png", render_png(figures[largest], left[largest].pop(0)))
    return {name: _picture(figures[name], *choice) for name, choice in chosen.items()}


def _choose(rendered: dict[str, bytes]) -> tuple[str, bytes]:
    """Take the vector picture when it is small."""
    svg = rendered["svg"]
    if len(svg) <= LARGEST_VECTOR:
        return "image/svg+xml", follow_scheme(svg)
    return "image/png", rendered["png"]


def _picture(figure: Figure, kind: str, data: bytes) -> Picture:
    """Write a picture as a data URI."""
    width, height = figure.get_size_inches()
    source = f"data:{kind};base64,{b64encode(data).decode('ascii')}"
    return Picture(source, round(CSS_PIXELS * width), round(CSS_PIXELS * height), kind == "image/svg+xml")
