"""Figures as files: the same figure gives the same bytes."""

import os
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from lca_analysis.report.figures.style import style_context

PNG_DPI = 170


def render(figure: Figure) -> dict[str, bytes]:
    """Render a figure as PNG and SVG.

    Parameters
    ----------
    figure : Figure
        What to render.

    Returns
    -------
    dict of str to bytes
        The files' contents by suffix, "png" and "svg"; without dates, so that they repeat.
    """
    metadata: dict[str, dict[str, str | None]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    files = {}
    with style_context():
        for suffix, entries in metadata.items():
            buffer = BytesIO()
            figure.savefig(buffer, format=suffix, dpi=PNG_DPI, metadata=entries)
            files[suffix] = buffer.getvalue()
    return files


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
