"""The curve of a series through focus: score and measures over position, best place, slider."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal

from napari_sem_tools.widgets.panel import theme_colour
from napari_sem_tools.widgets.plots.canvas import LateCanvas, style_axes

if TYPE_CHECKING:
    from napari_sem_tools.focus.series.series import FocusSeries

__all__ = ["CurveView"]

_COLOURS = ("#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#f0e442")  # Okabe and Ito
_SCORE, _BEST = "#e69f00", "#d55e00"
_DASHES = ((4, 2), (1, 1), (5, 1, 1, 1), (3, 1), (6, 2, 2, 2))  # told apart without colours
_ROOM = 0.04  # of the range of positions, on both sides
_SCALE = 10.0
_ENDS = ("low", "high")


class CurveView(LateCanvas):
    """The curve of a series; ``clicked`` brings the number of the image that was clicked."""

    clicked = Signal(int)
    waiting_text = "Curve of score and measures: choose a stack or a folder, then Find best focus."
    tip = (
        "Score of each image, and the chosen measures from their least to their largest "
        "value. Line and band: best position with its 90 % interval; dotted: the image that "
        "is shown. A click goes there."
    )
    margins = (40, 10, 44, 26)

    def __init__(self) -> None:
        super().__init__()
        self.series: FocusSeries | None = None
        self.unit = ""
        self.at: int | None = None  # image that is shown
        self.axes: Any = None
        self._line: Any = None

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

    # --- inside --------------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw everything."""
        if not self.start_drawing(self.series is not None) or self.series is None:
            return
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
        positions = np.asarray(series.positions, float)
        ends = [positions.min(), positions.max()]
        if np.isfinite(series.best):
            ends = [min(ends[0], series.best), max(ends[1], series.best)]
        room = _ROOM * max(ends[1] - ends[0], 1e-12)
        self.axes.set_xlim(ends[0] - room, ends[1] + room)
        self.axes.set_ylim(-0.3, _SCALE + 0.3)
        self.axes.set_xlabel(f"position ({self.unit})" if self.unit else "position")
        self.axes.set_ylabel("score")
        style_axes(self.axes)
        self.axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, fontsize=8, framealpha=0,
            labelcolor=theme_colour("text"), handlelength=1.6, columnspacing=1.0, borderaxespad=0.2,
        )  # fmt: skip

    def events(self) -> dict[str, Callable[[Any], None]]:
        """Return what the mouse does."""
        return {"button_press_event": self._on_click}

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
