"""A plot in a widget: made with its first content, drawn soon after a change, once it is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_sem_tools.widgets.panel import late, theme_colour, wrapped_label
from napari_sem_tools.widgets.plots.margins import fit_margins

__all__ = ["LateCanvas", "make_canvas", "style_axes"]


def make_canvas(size: tuple[float, float], height: int, tip: str, events: Mapping[Any, Any]) -> Any:
    """Make a figure and what shows it.

    Parameters
    ----------
    size : (float, float)
        Width and height in inches, until it is laid out.
    height : int
        The least, in px.
    tip : str
    events : mapping
        Name of matplotlib -> what answers.

    Returns
    -------
    FigureCanvasQTAgg
    """
    from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasQTAgg(Figure(figsize=size))
    canvas.setMinimumHeight(height)
    canvas.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
    canvas.setToolTip(tip)
    for event, answer in events.items():
        canvas.mpl_connect(event, answer)
    return canvas


class LateCanvas(QWidget):
    """Base of the plots that appear with their first content; words stand there before."""

    waiting_text = ""
    tip = ""
    inches = (3.6, 2.4)
    height_px = 210  # the least at which it can be read
    margins = (40, 10, 44, 10)  # px left, right, below and above the axes
    gaps: ClassVar[dict[str, float]] = {}  # between several axes
    late_ms = 60

    def __init__(self) -> None:
        super().__init__()
        self.figure: Any = None  # made with the first content: matplotlib takes a while to load
        self.canvas: Any = None
        self._stale = False
        self.waiting = wrapped_label(self.waiting_text)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.waiting)
        self._late = late(self, self.late_ms, self._draw)

    def redraw(self) -> None:
        """Draw soon, and only while it is seen."""
        self._stale = True
        if self.isVisible() and not self._late.isActive():
            self._late.start()

    def release(self) -> None:
        """Draw no more."""
        self._late.stop()

    def showEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Draw what came meanwhile."""
        super().showEvent(event)
        if self._stale:
            self._late.start()

    # --- for the plots -------------------------------------------------------------------

    def events(self) -> dict[str, Callable[[Any], None]]:
        """Return what the mouse does, by matplotlib's names."""
        return {}

    def _draw(self) -> None:
        """Draw everything, after `start_drawing`."""

    def start_drawing(self, there: bool) -> bool:
        """Empty the figure for a new drawing; False where there is nothing to draw."""
        self._stale = False
        self.waiting.setVisible(not there)
        if self.canvas is None and there:
            events = {"resize_event": self._fit, **self.events()}
            self.canvas = make_canvas(self.inches, self.height_px, self.tip, events)
            self.figure = self.canvas.figure
            self.layout().addWidget(self.canvas, 1)
        if self.canvas is not None:
            self.canvas.setVisible(there)
        if there:
            self.figure.clear()
            self.figure.set_facecolor(theme_colour("background"))
        return there

    def _fit(self, event: Any = None) -> None:
        """Leave room for the labels."""
        fit_margins(self.canvas, self.margins, **self.gaps)


def style_axes(axes: Any) -> None:
    """Take the colours of the theme."""
    text = theme_colour("text")
    axes.set_facecolor(theme_colour("background"))
    axes.tick_params(colors=text, labelsize=8)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(text)
        label.set_fontsize(9)
    axes.grid(visible=True, alpha=0.15)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(text)
