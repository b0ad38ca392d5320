"""The plot beside the particle table: what is drawn, and the brush that chooses particles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.widgets.panel import late, narrow
from napari_sem_tools.widgets.plots.canvas import make_canvas
from napari_sem_tools.widgets.plots.curves import BAND_KINDS, FIT_KINDS
from napari_sem_tools.widgets.plots.drawing import KINDS, PlotSpec, PlotValues, Style, draw_plot
from napari_sem_tools.widgets.plots.margins import fit_margins

__all__ = ["PlotPanel"]

_HEIGHT = 190  # px, the least that shows bars and their lines
_MARGINS = 56, 12, 44, 34  # px left, right, below and above the axes, for their labels
_A_CLICK = 4  # px that a mouse may move and still click
_WEIGHTS = {"number": 0, "area": 2, "volume": 3}
_FIRST_X = ("ecd_nm", "ecd_px", "area_px")
_FIRST_Y = ("aspect_ratio", "circularity", "feret_max_nm", "feret_max_px")
_LIMIT_NM = 100.0  # of the EU's recommendation for nanomaterials (2022/C 229/01)


class PlotPanel(QWidget):
    """A plot of the particles; dragging over it chooses particles.

    Its signal ``brushed`` brings a bool array over the rows drawn and whether they are
    added to the choice; ``changed`` says that another quantity or kind is wanted.
    """

    brushed = Signal(object, bool)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for row in self._choices():
            layout.addLayout(row)
        self._place = QVBoxLayout()
        layout.addLayout(self._place, 1)
        self.setMinimumHeight(_HEIGHT + 60)
        self.figure: Any = None  # made with the first plot: matplotlib takes a while to load
        self.canvas: Any = None
        self.axes: Any = None
        self._late = late(self, 0, self._blit)
        self._values: PlotValues | None = None
        self._spec = PlotSpec()
        self._mark: Any = None
        self._chosen: NDArray[np.bool_] = np.zeros(0, bool)
        self._marks: list[Any] = []
        self._ground: Any = None  # the plot without marks, as pixels
        self._press: Any = None
        self._band: Any = None
        self._arrange()

    def _make_canvas(self) -> None:
        """Make the figure; later than the table, so that its rows are there at once."""
        self.canvas = make_canvas(
            (3.6, 2.2),
            _HEIGHT,
            "Drag to choose particles; Shift adds; a click chooses none",
            {
                "draw_event": self._on_drawn,
                "resize_event": self._fit,
                "button_press_event": self._on_press,
                "motion_notify_event": self._on_move,
                "button_release_event": self._on_release,
            },
        )
        self.figure = self.canvas.figure
        self._place.addWidget(self.canvas, 1)

    def _fit(self, event: Any = None) -> None:
        """Leave room for the labels."""
        if self.axes is not None:
            fit_margins(self.canvas, _MARGINS)

    def _choices(self) -> list[QHBoxLayout]:
        """Make the rows with the kind of plot, the quantities and the axes."""
        self.kind = QComboBox()
        self.kind.addItems(list(KINDS))
        self.x, self.y = QComboBox(), QComboBox()
        self.weight = QComboBox()
        self.weight.addItems(list(_WEIGHTS))
        self.weight.setToolTip("What a particle counts: 1, its size squared, or its size cubed")
        self.group = QComboBox()
        self.group.setToolTip("One colour a group")
        self.log_x = QCheckBox("log x")
        self.log_y = QCheckBox("log y")
        self.versus = QLabel("against")
        for box in (self.kind, self.x, self.y, self.weight, self.group):
            narrow(box).currentIndexChanged.connect(self._on_choice)
        self.fit = QCheckBox("fit")
        self.fit.setToolTip(
            "The best of normal, lognormal, Weibull and gamma by AIC, for particles by number"
        )
        self.band = QCheckBox("95 %")
        self.band.setToolTip(
            "Interval of the share below each size; with several images it knows how they differ"
        )
        for tick in (self.log_x, self.log_y, self.fit, self.band):
            tick.toggled.connect(self._on_choice)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.kind, 3)
        first.addWidget(QLabel("of"))
        first.addWidget(self.x, 4)
        first.addWidget(self.versus)
        first.addWidget(self.y, 4)
        for widget in (self.weight, self.group):
            second.addWidget(widget)
        second.addStretch(1)
        second.addWidget(self.fit)
        second.addWidget(self.band)
        second.addWidget(self.log_x)
        second.addWidget(self.log_y)
        return [first, second]

    @property
    def ready(self) -> bool:
        """Whether the plot is on the screen as it was asked for last."""
        return self._ground is not None

    # --- what is drawn ---------------------------------------------------------------------

    def offer(self, quantities: dict[str, str], groups: dict[str, str]) -> None:
        """List the quantities and the groups that can be chosen, keeping the choice.

        Parameters
        ----------
        quantities, groups : dict
            Name of the column -> its title.
        """
        for box, offered, wanted in (
            (self.x, quantities, _FIRST_X),
            (self.y, quantities, _FIRST_Y),
            (self.group, {"": "no groups", **groups}, ("",)),
        ):
            before = box.currentData()
            with QSignalBlocker(box):
                box.clear()
                for name, title in offered.items():
                    box.addItem(title, name)
                names = list(offered)
                places = [names.index(one) for one in (before, *wanted) if one in offered]
                box.setCurrentIndex(places[0] if places else 0)
        self._arrange()

    def spec(self) -> PlotSpec:
        """Return what the user wants to see."""
        size = str(self.x.currentData() or "")
        in_nm = size.startswith(("ecd_nm", "feret_")) and size.endswith("_nm")
        kind = self.kind.currentText()
        return PlotSpec(
            kind=kind,
            x=self.x.currentText(),
            y=self.y.currentText(),
            log_x=self.log_x.isChecked() or kind == "log-probability",
            log_y=self.log_y.isChecked() and kind in ("histogram", "bivariate"),
            power=_WEIGHTS[self.weight.currentText()] if self.weight.isEnabled() else 0,
            limit=_LIMIT_NM if in_nm else None,
            fit=self.fit.isEnabled() and self.fit.isChecked(),
            band=self.band.isEnabled() and self.band.isChecked(),
        )

    def draw(self, values: PlotValues, style: Style) -> None:
        """Draw the particles; the choice is drawn on top later."""
        self._values, self._spec = values, self.spec()
        self._marks = []
        self._chosen = np.zeros(len(values.x), bool)
        if self.canvas is None:
            self._make_canvas()
        self.figure.clear()
        self.figure.set_facecolor(style.background)
        self.axes = self.figure.add_subplot()
        self._mark = draw_plot(self.axes, values, self._spec, style)
        self._fit()
        self._ground = None
        self.canvas.draw_idle()

    def choose(self, chosen: NDArray[np.bool_]) -> None:
        """Mark chosen particles over the plot as it stands.

        Parameters
        ----------
        chosen : bool array (n,)
            Over the rows drawn.
        """
        if self._mark is None or len(chosen) != len(self._chosen):
            return
        self._chosen = np.asarray(chosen, bool)
        if self._ground is not None:  # else it is marked when it is painted
            self._late.start()

    def _on_choice(self, *_: Any) -> None:
        """Follow another kind, quantity or axis."""
        self._arrange()
        self.changed.emit()

    def _arrange(self) -> None:
        """Show the choices that the kind of plot has."""
        kind = self.kind.currentText()
        two = kind == "bivariate"
        self.y.setVisible(two)
        self.versus.setVisible(two)
        self.log_x.setEnabled(kind != "log-probability")
        self.log_y.setEnabled(kind in ("histogram", "bivariate"))
        size = str(self.x.currentData() or "")
        length = size.endswith(("_nm", "_px")) and not size.startswith("area")
        self.weight.setEnabled(length and kind in ("histogram", "cumulative"))
        by_number = not self.weight.isEnabled() or self.weight.currentText() == "number"
        together = by_number and not self.group.currentData()
        self.fit.setEnabled(together and kind in FIT_KINDS)
        self.band.setEnabled(together and kind in BAND_KINDS)

    # --- marks over the plot ---------------------------------------------------------------

    def _on_drawn(self, event: Any = None) -> None:
        """Keep the plot as pixels, and draw the marks over it."""
        self._ground = self.canvas.copy_from_bbox(self.figure.bbox)
        self._redo_marks()
        for artist in self._marks:
            self.axes.draw_artist(artist)

    def _redo_marks(self) -> None:
        """Make the marks of the chosen particles anew."""
        for artist in self._marks:
            artist.remove()
        self._marks = []
        if self._mark is None:
            return
        limits = self.axes.get_xlim(), self.axes.get_ylim()
        self._marks = self._mark(self._chosen)
        self.axes.set_xlim(limits[0])
        self.axes.set_ylim(limits[1])
        for artist in self._marks:
            artist.set_animated(True)

    def _blit(self) -> None:
        """Draw marks and brush over the kept pixels: a few ms instead of a whole plot."""
        if self._ground is None:
            return
        self.canvas.restore_region(self._ground)
        self._redo_marks()
        for artist in (*self._marks, *([self._band] if self._band is not None else [])):
            self.axes.draw_artist(artist)
        self.canvas.blit(self.figure.bbox)

    # --- the brush -------------------------------------------------------------------------

    def _on_press(self, event: Any) -> None:
        """Begin to brush."""
        if event.inaxes is not None and event.button == 1:
            self._press = event

    def _on_move(self, event: Any) -> None:
        """Draw the band that is brushed."""
        from matplotlib.patches import Rectangle

        if self._press is None or event.xdata is None or self._ground is None:
            return
        left, right = sorted((self._press.xdata, event.xdata))
        low, high = self.axes.get_ylim()
        if self._spec.kind == "bivariate":
            low, high = sorted((self._press.ydata, event.ydata))
        if self._band is None:
            self._band = Rectangle((0, 0), 0, 0, color="#ffd60a", alpha=0.25, animated=True)
            self.axes.add_patch(self._band)
        self._band.set_bounds(left, low, right - left, high - low)
        self._blit()

    def _on_release(self, event: Any) -> None:
        """Choose what was brushed; a mere click chooses nothing."""
        press, self._press = self._press, None
        if self._band is not None:
            self._band.remove()
            self._band = None
        if press is None or self._values is None:
            return
        if max(abs(event.x - press.x), abs(event.y - press.y)) <= _A_CLICK:
            self.brushed.emit(np.zeros(len(self._values.x), bool), False)
            return
        transform = self.axes.transData.inverted()
        ends = transform.transform([(press.x, press.y), (event.x, event.y)])
        self.brush(*sorted(ends[:, 0]), *sorted(ends[:, 1]), add=_shift(event))

    def brush(
        self, left: float, right: float, low: float, high: float, *, add: bool = False
    ) -> None:
        """Choose the particles in a part of the plot, as dragging over it does.

        Parameters
        ----------
        left, right, low, high : float
            In units of the axes; `low` and `high` are for the bivariate plot alone.
        add : bool
            Keep what was chosen before.
        """
        if self._values is None:
            return
        inside = self._values.usable(self._spec)
        inside &= (self._values.x >= left) & (self._values.x <= right)
        if self._spec.kind == "bivariate":
            inside &= (self._values.y >= low) & (self._values.y <= high)
        self.brushed.emit(inside, add)


def _shift(event: Any) -> bool:
    """Say whether Shift was held while brushing."""
    gui = getattr(event, "guiEvent", None)
    return gui is not None and bool(gui.modifiers() & Qt.KeyboardModifier.ShiftModifier)
