"""Vector figures that follow a dark page: the same picture, with light ink and a dark ground."""

import re

from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb

from lca_analysis.report.figures.style import ALONE, FAINT, INK, MUTED, SHARE_COLORS

CARD = "#1d242a"
LEAST_CONTRAST = 3.0
_INKS = {INK.lower(): "#e8ecef", MUTED.lower(): "#a3b0ba", FAINT.lower(): "#333d45", ALONE.lower(): "#6f7a83"}
_SHARED = LinearSegmentedColormap.from_list("shared_on_dark", ["#6a5c85", "#8a72b8", "#b79be6", "#dcc8ff", "#f6f0ff"])
_MIRRORED = {to_hex(SHARE_COLORS(place)): to_hex(_SHARED(place)) for place in range(SHARE_COLORS.N)}
"""Marks that are the darker the more layers share them stand out from a dark page by being the lighter."""
_COLOR = re.compile(r"(?:fill|stroke): (#[0-9a-f]{6})")
_STEPS = 20


def luminance(color: str) -> float:
    """Give the relative luminance of a colour, as WCAG defines it."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """Give the contrast of two colours, from 1 to 21, as WCAG defines it."""
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def on_dark(color: str) -> str:
    """Give the colour that stands for another on a dark page: the same where it can be seen there, or a lighter one."""
    if color in _INKS or color in _MIRRORED:
        return _INKS.get(color) or _MIRRORED[color]
    for step in range(_STEPS):
        red, green, blue = (part + (1 - part) * step / _STEPS for part in to_rgb(color))
        lighter = to_hex((red, green, blue))
        if contrast(lighter, CARD) >= LEAST_CONTRAST:
            return lighter
    return "#ffffff"


def follow_scheme(svg: bytes) -> bytes:
    """Let a figure follow the colour scheme of the page that it is in.

    Parameters
    ----------
    svg : bytes
        A figure as matplotlib writes it.

    Returns
    -------
    bytes
        The same, with rules for dark pages: light ink, a dark ground, and lighter lines where dark ones would not be
        seen. Colours that can be seen on both, such as those of helping and hurting, stay what they are.
    """
    text = svg.decode("utf-8")
    changed = {color: on_dark(color) for color in sorted(set(_COLOR.findall(text)))}
    rules = [
        f'[style*="{kind}: {color}"] {{ {kind}: {dark} !important }}'
        for color, dark in changed.items()
        for kind in ("fill", "stroke")
        if dark != color and f"{kind}: {color}" in text
    ]
    # White paths are ground, or gaps between bars. White text stands on dark cells, and text without a colour on light
    # ones: both stay.
    rules += [f'path[style*="{kind}: #ffffff"] {{ {kind}: {CARD} !important }}' for kind in ("fill", "stroke")]
    style = "<style>@media (prefers-color-scheme: dark) {\n" + "\n".join(rules) + "\n}</style>\n</svg>"
    head, _, tail = text.rpartition("</svg>")
    return f"{head}{style}{tail}".encode()
