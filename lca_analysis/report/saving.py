"""Figures as files: the same figure gives the same bytes."""

from io import BytesIO

import pandas as pd
import pyarrow as pa
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from lca_analysis.report.figures.style import style_context
from lca_analysis.store.files import parquet_bytes

PNG_DPI = 170
CSV_DIGITS = 7


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
    buffer = BytesIO()
    with style_context():
        # One fit of the panels serves every format; each would repeat it otherwise.
        # It is made at the resolution of the pixels, where text has other widths than at a lower one.
        figure.set_dpi(PNG_DPI)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    return {"png": render_png(figure, PNG_DPI), "svg": buffer.getvalue()}


def render_png(figure: Figure, dpi: int) -> bytes:
    """Render a figure as PNG.

    Parameters
    ----------
    figure : Figure
        What to render.
    dpi : int
        Pixels per inch.

    Returns
    -------
    bytes
        The file's contents.
    """
    buffer = BytesIO()
    with style_context():
        figure.set_dpi(dpi)
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def table_files(frame: pd.DataFrame) -> dict[str, bytes]:
    """Write a frame as CSV and Parquet.

    Parameters
    ----------
    frame : DataFrame
        What to write.

    Returns
    -------
    dict of str to bytes
        The files' contents by suffix, "csv" (real numbers with `CSV_DIGITS` digits) and "parquet" (exact).
    """
    text = frame.to_csv(index=False, lineterminator="\n", float_format=f"%.{CSV_DIGITS}g")
    return {"csv": text.encode(), "parquet": parquet_bytes(pa.Table.from_pandas(frame, preserve_index=False))}
