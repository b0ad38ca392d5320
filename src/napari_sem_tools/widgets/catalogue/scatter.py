"""A collection as points: the mouse rests on one to see it, and clicks to open it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal

from napari_sem_tools.widgets.panel import theme_colour
from napari_sem_tools.widgets.plots.canvas import LateCanvas

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MapView"]

_COLOURS = (
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
)  # Okabe and Ito
_SHAPES = "osD^v"  # another shape once the colours are used up
_OTHERS = "#8a8f98"
_MOST_GROUPS = 12  # the rest is grey
_NEAR_PX, _A_CLICK_PX = 9.0, 4.0
_ZOOM = 1.3
_SIZE_MANY, _SIZE_FEW, _MANY = 5.0, 26.0, 2000


class MapView(LateCanvas):
    """The points of a map.

    Its signal ``rested`` brings the key of the point below the mouse, or None, ``clicked`` that
    of the one that was clicked.
    """

    rested = Signal(object)
    clicked = Signal(object)
    waiting_text = "Points that look alike lie near each other: Draw the map."
    tip = "Rest on a point to see it, click to open it; wheel zooms, drag moves"
    inches = (3.4, 3.0)
    height_px = 220
    margins = (10, 10, 10, 34)

    def __init__(self) -> None:
        super().__init__()
        self.table: pd.DataFrame | None = None
        self.colour_by = "category"
        self.at: Any = None  # below the mouse
        self.axes: Any = None
        self._ring: Any = None
        self._press: tuple[float, float] | None = None
        self._grip: tuple[Any, Any] | None = None

    # --- for the page --------------------------------------------------------------------

    def show_map(self, table: pd.DataFrame | None) -> None:
        """Show a map as `Catalogue.map` makes it, or none."""
        self.table, self.at = table, None
        self.redraw()

    def nearest(self, x: float, y: float) -> Any:
        """Return the key of the point at a place of the canvas in px, None where there is none."""
        if self.table is None or self.axes is None or not len(self.table):
            return None
        places = self.axes.transData.transform(self.table[["x", "y"]].to_numpy(float))
        apart = np.hypot(places[:, 0] - x, places[:, 1] - y)
        best = int(apart.argmin())
        return self.table.index[best] if apart[best] <= _NEAR_PX else None

    # --- drawing -------------------------------------------------------------------------

    def events(self) -> dict[str, Callable[[Any], None]]:
        """Return what the mouse does."""
        return {
            "motion_notify_event": self._on_move,
            "button_press_event": self._on_press,
            "button_release_event": self._on_release,
            "scroll_event": self._on_wheel,
        }

    def _draw(self) -> None:
        """Draw everything."""
        there = self.table is not None and len(self.table) > 0
        if not self.start_drawing(there) or self.table is None:
            return
        self.axes = self.figure.add_subplot()
        self.axes.set_facecolor(theme_colour("background"))
        size = _SIZE_MANY if len(self.table) > _MANY else _SIZE_FEW
        if self.colour_by == "focus":
            self._draw_focus(self.table, size)
        else:
            self._draw_groups(self.table, size)
        (self._ring,) = self.axes.plot(
            [], [], "o", markersize=13, mfc="none", mec=theme_colour("text"), mew=1.6
        )
        self._style()
        self._fit()
        self.canvas.draw_idle()

    def _draw_groups(self, table: pd.DataFrame, size: float) -> None:
        """Draw a colour a category; those beyond a dozen, and none, are grey."""
        names = table["category"].to_numpy(object)
        known = np.array([isinstance(name, str) for name in names], bool)
        values, counts = np.unique(names[known].astype(str), return_counts=True)
        shown = list(values[np.argsort(-counts, kind="stable")][:_MOST_GROUPS])
        rest = ~np.isin(np.where(known, names, "").astype(str), shown)
        self._points(table, rest, size, _OTHERS, "o", "other" if shown else "no category")
        for number, name in enumerate(shown):
            mark = _SHAPES[number // len(_COLOURS) % len(_SHAPES)]
            colour = _COLOURS[number % len(_COLOURS)]
            self._points(table, known & (names == name), size, colour, mark, name)

    def _points(
        self,
        table: pd.DataFrame,
        which: NDArray[np.bool_],
        size: float,
        colour: str,
        mark: str,
        label: str,
    ) -> None:
        """Draw some points."""
        if which.any():
            self.axes.scatter(
                table["x"][which], table["y"][which], s=size, c=colour, marker=mark,
                linewidths=0, alpha=0.85, label=f"{label} ({int(which.sum())})",
            )  # fmt: skip

    def _draw_focus(self, table: pd.DataFrame, size: float) -> None:
        """Draw the focus score as brightness."""
        scores = table["focus"].to_numpy(float)
        self._points(table, np.isnan(scores), size, _OTHERS, "o", "no score")
        there = np.isfinite(scores)
        self.axes.scatter(
            table["x"][there], table["y"][there], s=size, c=scores[there], cmap="cividis",
            vmin=0, vmax=10, linewidths=0, label="focus: bright is 10, dark is 0",
        )  # fmt: skip

    def _style(self) -> None:
        """Take the colours of the theme; places have no unit, so that there are no ticks."""
        text = theme_colour("text")
        self.axes.set_xticks([])
        self.axes.set_yticks([])
        for spine in self.axes.spines.values():
            spine.set_color(text)
            spine.set_alpha(0.4)
        self.axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, fontsize=7.5, framealpha=0,
            labelcolor=text, handletextpad=0.1, columnspacing=0.8, borderaxespad=0.1,
        )  # fmt: skip

    # --- the mouse -----------------------------------------------------------------------

    def _on_move(self, event: Any) -> None:
        """Ring the point below the mouse, or move the map."""
        if self._grip is not None and self._press is not None:
            self._move(event, self._press, self._grip)
            return
        found = self.nearest(event.x, event.y)
        if found != self.at:
            self.at = found
            self.ring(found)
            self.rested.emit(found)

    def ring(self, key: Any) -> None:
        """Put a ring round a point, or round none."""
        if self._ring is None or self.table is None:
            return
        there = key is not None and key in self.table.index
        place = self.table.loc[key, ["x", "y"]].to_numpy(float) if there else None
        self._ring.set_data(
            [] if place is None else [place[0]], [] if place is None else [place[1]]
        )
        self.canvas.draw_idle()

    def _on_press(self, event: Any) -> None:
        """Note where a click or a drag begins."""
        if event.button == 1 and self.axes is not None:
            self._press = event.x, event.y
            self._grip = self.axes.get_xlim(), self.axes.get_ylim()

    def _on_release(self, event: Any) -> None:
        """Take a press and release at one place as a click."""
        start, self._press, self._grip = self._press, None, None
        if start is None:
            return
        if max(abs(event.x - start[0]), abs(event.y - start[1])) <= _A_CLICK_PX:
            found = self.nearest(event.x, event.y)
            if found is not None:
                self.clicked.emit(found)

    def _move(self, event: Any, start: tuple[float, float], grip: tuple[Any, Any]) -> None:
        """Drag the map along."""
        box, (x, y), (across, up) = self.axes.bbox, start, grip
        right = (event.x - x) / max(box.width, 1) * (across[1] - across[0])
        above = (event.y - y) / max(box.height, 1) * (up[1] - up[0])
        self.axes.set_xlim(across[0] - right, across[1] - right)
        self.axes.set_ylim(up[0] - above, up[1] - above)
        self.canvas.draw_idle()

    def _on_wheel(self, event: Any) -> None:
        """Zoom about the mouse."""
        if event.inaxes is None:
            return
        factor = 1 / _ZOOM if event.button == "up" else _ZOOM
        for name, middle in (("x", event.xdata), ("y", event.ydata)):
            low, high = getattr(self.axes, f"get_{name}lim")()
            limits = middle - (middle - low) * factor, middle + (high - middle) * factor
            getattr(self.axes, f"set_{name}lim")(*limits)
        self.canvas.draw_idle()
