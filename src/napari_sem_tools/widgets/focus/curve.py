"""The curve of a series through focus: score and measures over position, best place, slider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_sem_tools.widgets.panel import theme_colour, wrapped_label
from napari_sem_tools.widgets.plots.margins import fit_margins

if TYPE_CHECKING:
    from napari_sem_tools.focus.series.series import FocusSeries

__all__ = ["CurveView"]

_COLOURS = ("#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#f0e442")  # Okabe and Ito
_SCORE, _BEST = "#e69f00", "#d55e00"
_DASHES = ((4, 2), (1, 1), (5, 1, 1, 1), (3, 1), (6, 2, 2, 2))  # told apart without colours
_HEIGHT = 210  # px, the least at which curves can be read
_MARGINS = 40, 10, 44, 26  # px left, right, below and above the axes
_LATE_MS = 60
_ROOM = 0.04  # of the range of positions, on both sides
_SCALE = 10.0
_ENDS = ("low", "high")
_WAITING = "Curve of score and measures: choose a stack or a folder, then Find best focus."


class CurveView(QWidget):
    """The curve of a series; ``clicked`` brings the number of the image that was clicked."""

    clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.series: FocusSeries | None = None
        self.unit = ""
        self.at: int | None = None  # image that is shown
        self.figure: Any = None  # made with the first curve: matplotlib takes a while to load
        self.canvas: Any = None
        self.axes: Any = None
        self._line: Any = None
        self.waiting = wrapped_label(_WAITING)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.waiting)
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(_LATE_MS)
        self._late.timeout.connect(self._draw)

    # --- for the page --------------------------------------------------------------------

    def show_series(self, series: FocusSeries | None, unit: str = "") -> None:
        """Show a curve, or none."""
        self.series, self.unit = series, unit
        self.redraw()

    def show_at(self, number: int | None) -> None:
        """Mark the image that the viewer shows."""
        self.at = number
        if self._line is None or self.series is None:
            return
        there = number is not None and 0 <= number < len(self.series.positions)
        self._line.set_visible(there)
        if there:
            place = float(self.series.positions[number])
            self._line.set_xdata([place, place])
        self.canvas.draw_idle()

    def redraw(self) -> None:
        """Draw soon, once it is seen."""
        if self.isVisible():
            self._late.start()

    def release(self) -> None:
        """Draw no more."""
        self._late.stop()

    def showEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Draw what came meanwhile."""
        super().showEvent(event)
        self._late.start()

    # --- inside --------------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw everything."""
        self.waiting.setVisible(self.series is None)
        if self.canvas is None and self.series is not None:
            self._make_canvas()
        if self.canvas is None:
            return
        self.canvas.setVisible(self.series is not None)
        if self.series is None:
            return
        self.figure.clear()
        self.figure.set_facecolor(theme_colour("background"))
        self.axes = self.figure.add_subplot()
        self._draw_best(self.series)
        self._draw_curves(self.series)
        self._line = self.axes.axvline(0, color=theme_colour("text"), linewidth=1, linestyle=":")
        self._style(self.series)
        self._fit()
        self.show_at(self.at)

    def _draw_best(self, series: FocusSeries) -> None:
        """Draw the best position with its interval."""
        if not np.isfinite(series.best):
            return
        low, high = series.interval
        if np.isfinite([low, high]).all() and high > low:
            self.axes.axvspan(low, high, color=_BEST, alpha=0.18, linewidth=0)
        self.axes.axvline(series.best, color=_BEST, linewidth=1.6)

    def _draw_curves(self, series: FocusSeries) -> None:
        """Draw the score in its own range, each measure from its least to its largest value."""
        positions = np.asarray(series.positions, float)
        order = np.argsort(positions)
        others = [name for name in series.curves.columns if not name.startswith("score")]
        for number, name in enumerate(others):
            values = series.curves[name].to_numpy(float)[order]
            self.axes.plot(
                positions[order],
                _stretched(values),
                color=_COLOURS[number % len(_COLOURS)],
                linewidth=1.2,
                dashes=_DASHES[number % len(_DASHES)],
                label="sharpness" if name == series.measure else name,
            )
        if "score_low" in series.curves:
            low, high = (series.curves[f"score_{end}"].to_numpy(float)[order] for end in _ENDS)
            self.axes.fill_between(positions[order], low, high, color=_SCORE, alpha=0.15, lw=0)
        if "score" in series.curves:
            values = series.curves["score"].to_numpy(float)[order]
            self.axes.plot(
                positions[order], values, "-o", color=_SCORE, markersize=3.5, linewidth=1.8,
                label="score",
            )  # fmt: skip

    def _style(self, series: FocusSeries) -> None:
        """Take the colours of the theme, and write the axes."""
        text = theme_colour("text")
        positions = np.asarray(series.positions, float)
        ends = [positions.min(), positions.max()]
        if np.isfinite(series.best):
            ends = [min(ends[0], series.best), max(ends[1], series.best)]
        room = _ROOM * max(ends[1] - ends[0], 1e-12)
        self.axes.set_xlim(ends[0] - room, ends[1] + room)
        self.axes.set_ylim(-0.3, _SCALE + 0.3)
        self.axes.set_xlabel(f"position ({self.unit})" if self.unit else "position")
        self.axes.set_ylabel("score")
        self.axes.set_facecolor(theme_colour("background"))
        self.axes.tick_params(colors=text, labelsize=8)
        for label in (self.axes.xaxis.label, self.axes.yaxis.label):
            label.set_color(text)
            label.set_fontsize(9)
        self.axes.grid(visible=True, alpha=0.15)
        for name, spine in self.axes.spines.items():
            spine.set_visible(name in ("left", "bottom"))
            spine.set_color(text)
        self.axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, fontsize=8, framealpha=0,
            labelcolor=text, handlelength=1.6, columnspacing=1.0, borderaxespad=0.2,
        )  # fmt: skip

    def _make_canvas(self) -> None:
        """Make the figure."""
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(3.6, 2.4))
        self.canvas = FigureCanvasQTAgg(self.figure)
        self.canvas.setMinimumHeight(_HEIGHT)
        self.canvas.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.canvas.setToolTip(
            "Score of each image, and the chosen measures from their least to their largest "
            "value. Line and band: best position with its 90 % interval; dotted: the image that "
            "is shown. A click goes there."
        )
        self.canvas.mpl_connect("resize_event", self._fit)
        self.canvas.mpl_connect("button_press_event", self._on_click)
        self.layout().addWidget(self.canvas, 1)

    def _fit(self, event: Any = None) -> None:
        """Leave room for the labels."""
        fit_margins(self.canvas, _MARGINS)

    def _on_click(self, event: Any) -> None:
        """Go to the image nearest to a click."""
        if self.series is not None and event.inaxes is self.axes and event.xdata is not None:
            away = np.abs(np.asarray(self.series.positions, float) - event.xdata)
            self.clicked.emit(int(np.argmin(away)))


def _stretched(values: Any) -> Any:
    """Bring a measure to the range of the score; a constant lies in the middle."""
    known = values[np.isfinite(values)]
    if not len(known) or np.ptp(known) == 0:
        return np.full(len(values), _SCALE / 2)
    return _SCALE * (values - known.min()) / np.ptp(known)
