"""Room for the labels of a plot, in pixels whatever the size of the canvas."""

from __future__ import annotations

from typing import Any

__all__ = ["fit_margins"]


def fit_margins(canvas: Any, margins: tuple[int, int, int, int], **gaps: float) -> None:
    """Leave room for the labels; a layout engine would draw everything twice.

    Parameters
    ----------
    canvas : matplotlib FigureCanvasQTAgg
    margins : (int, int, int, int)
        Pixels left, right, below and above the axes.
    **gaps : float
        Between several axes, as of ``Figure.subplots_adjust``: ``hspace``, ``wspace``.
    """
    width, height = canvas.get_width_height()
    left, right, below, above = margins
    if width > left + right and height > below + above:
        canvas.figure.subplots_adjust(
            left=left / width,
            right=1 - right / width,
            bottom=below / height,
            top=1 - above / height,
            **gaps,
        )
