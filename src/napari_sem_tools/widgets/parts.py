"""What all widgets share: layer chooser, run button, progress, status and calibration lines."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QSignalBlocker, QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDockWidget,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.errors import SemError
from napari_sem_tools.layers import calibration_of
from napari_sem_tools.widgets.work import Job, Outcome, Work

__all__ = ["LayerChooser", "Links", "SemWidget", "scrolled", "theme_colour", "wrapped_label"]

_MIN_WIDTH = 320
_MIN_FORM = 120
_MIN_HEIGHT = 240


class Links:
    """Connections to napari's events that are taken back together.

    Callbacks are held weakly, so that a link never keeps a widget alive.
    """

    def __init__(self) -> None:
        self._links: list[tuple[Any, weakref.WeakMethod[Any]]] = []

    def connect(self, emitter: Any, callback: Callable[..., Any]) -> None:
        """Connect a bound method to an event emitter of napari."""
        emitter.connect(callback)
        self._links.append((emitter, weakref.WeakMethod(callback)))

    def release(self, *_: Any) -> None:
        """Take all connections back."""
        links, self._links = self._links, []
        for emitter, reference in links:
            callback = reference()
            if callback is not None:
                emitter.disconnect(callback)


class LayerChooser(QComboBox):
    """A list of the layers of one kind that follows the viewer's layer list.

    Parameters
    ----------
    viewer : napari viewer
    kind : str
        ``"Image"``, ``"Labels"`` or ``"Shapes"``.
    none_text : str, optional
        A first entry that stands for no layer.
    follow : bool
        Choose the layer that the user selects.
    """

    chosen = Signal(object)

    def __init__(
        self, viewer: Any, kind: str, *, none_text: str | None = None, follow: bool = False
    ) -> None:
        super().__init__()
        self._viewer, self._kind, self._none_text = viewer, kind, none_text
        self._layers: list[Any] = []
        self._last: Any = None
        self.links = Links()
        self._names = Links()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        for event in ("inserted", "removed", "reordered"):
            self.links.connect(getattr(viewer.layers.events, event), self._refill)
        if follow:
            self.links.connect(viewer.layers.selection.events.active, self._follow)
        self.currentIndexChanged.connect(self._announce)
        self._refill()
        if follow:
            self._follow()

    def layer(self) -> Any:
        """Return the chosen layer or None."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def choose(self, layer: Any) -> None:
        """Choose a layer if it is in the list."""
        if layer in self._layers:
            self.setCurrentIndex(self._layers.index(layer))

    def release(self) -> None:
        """Take all connections back and forget the layers."""
        self.links.release()
        self._names.release()
        self._layers, self._last = [], None

    def _refill(self, event: Any = None) -> None:
        """List the layers anew and keep the choice where it still exists."""
        previous = self.layer()
        found = [one for one in self._viewer.layers if is_kind(one, self._kind)]
        self._names.release()
        for one in found:
            self._names.connect(one.events.name, self._rename)
        self._layers = ([None] if self._none_text is not None else []) + found
        with QSignalBlocker(self):
            self.clear()
            self.addItems([self._none_text if one is None else one.name for one in self._layers])
            if previous in self._layers:
                self.setCurrentIndex(self._layers.index(previous))
            elif self._none_text is None and found:
                self.setCurrentIndex(len(self._layers) - 1)
        self._announce()

    def _rename(self, event: Any = None) -> None:
        """Show changed names."""
        for index, one in enumerate(self._layers):
            if one is not None:
                self.setItemText(index, one.name)

    def _follow(self, event: Any = None) -> None:
        """Choose the layer that was selected, if it is of this kind."""
        active = self._viewer.layers.selection.active
        if active is not None and is_kind(active, self._kind):
            self.choose(active)

    def _announce(self, *_: Any) -> None:
        """Tell about a choice, once."""
        layer = self.layer()
        if layer is not self._last:
            self._last = layer
            self.chosen.emit(layer)


def is_kind(layer: Any, kind: str) -> bool:
    """Say whether a layer is an Image, Labels or Shapes layer that a user may choose."""
    import napari.layers

    return isinstance(layer, getattr(napari.layers, kind)) and "(preview)" not in layer.name


def theme_colour(name: str) -> str:
    """Return a colour of napari's theme in use, as ``#rrggbb``."""
    from napari.settings import get_settings
    from napari.utils.theme import get_theme

    theme = get_theme(get_settings().appearance.theme)
    return str(getattr(theme, name).as_hex(format="long"))[:7]


def wrapped_label(text: str = "") -> QLabel:
    """Make a label whose long text wraps instead of widening the dock."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def scrolled(widget: QWidget) -> QScrollArea:
    """Put a form into an area that scrolls when the dock is low; rows stay together."""
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.addWidget(widget)
    column.addStretch(1)
    area = QScrollArea()
    area.setWidget(holder)
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setMinimumHeight(_MIN_FORM)
    area.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
    return area


class SemWidget(QWidget):
    """Base of the widgets: a chooser at the top, run button, progress and status below.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    kind = "Image"
    wants = "Select an image layer, or open one."
    run_text = "Run"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        # the proxy that napari hands to plugins makes a new object at each access
        self.viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.links = Links()
        self.choosers: list[LayerChooser] = []
        self.work = Work(self)
        self.work.progressed.connect(self._on_progress)
        self.work.finished.connect(self._on_finished)
        self._done: Callable[[Any], None] | None = None
        self._tabbed = False
        self.setMinimumWidth(_MIN_WIDTH)
        # expanding, so that napari adds no stretch below
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        self.chooser = self.add_chooser(self.kind, follow=True)
        column.addLayout(self._header())
        self.calibration_line = wrapped_label()
        column.addWidget(self.calibration_line)
        self.body = QVBoxLayout()
        column.addLayout(self.body, 1)
        self.build()
        column.addLayout(self._footer())
        self.chooser.chosen.connect(self._on_layer)
        self._on_layer(self.chooser.layer())
        self.links.connect(_theme_event(), self._on_theme)
        self.destroyed.connect(self.links.release)
        for chooser in self.choosers:
            self.destroyed.connect(chooser.links.release)

    # --- for the widgets -------------------------------------------------------------

    def build(self) -> None:
        """Fill `body`; called once."""

    def layer_changed(self, layer: Any) -> None:
        """React to another layer, or None."""

    def run(self) -> None:
        """Start the work; called by the button."""

    def scale_layer(self) -> Any:
        """Return the layer whose pixel size counts."""
        return self.chooser.layer()

    def python(self) -> str:
        """Return what "copy as Python" puts on the clipboard."""
        return ""

    def add_chooser(
        self, kind: str, *, none_text: str | None = None, follow: bool = False
    ) -> LayerChooser:
        """Make a layer chooser that is let go with the widget."""
        chooser = LayerChooser(self.viewer, kind, none_text=none_text, follow=follow)
        self.choosers.append(chooser)
        return chooser

    def start(self, job: Job, done: Callable[[Any], None], description: str) -> None:
        """Run a job off the GUI thread; `done` gets its value in the GUI thread."""
        if self.work.running:
            return
        self._done = done
        self.progress_bar.setRange(0, 0)
        self.progress_bar.setVisible(True)
        self.run_button.setText("Cancel")
        self.say(f"{description} ...")
        self.work.start(job, description)

    def say(self, text: str, colour: str | None = None) -> None:
        """Show a line of status, in a colour of the theme for warnings and errors."""
        self.status_line.setText(text)
        self.status_line.setStyleSheet(f"color: {theme_colour(colour)};" if colour else "")

    def fail(self, error: SemError) -> None:
        """Show an error: its sentence and what to do."""
        self.say(f"⚠ {error.message} {error.hint}".strip(), "warning")

    def show_calibration(self) -> None:
        """Say the pixel size of the chosen layer and how it is known, red without one."""
        layer = self.scale_layer()
        if layer is None:
            self._show_red(self.wants)
            return
        calibration = calibration_of(layer)
        text = calibration.describe()
        if calibration.is_calibrated or calibration.reciprocal is not None:
            self.calibration_line.setText(text[:1].upper() + text[1:])
            self.calibration_line.setStyleSheet("")
            self.calibration_line.setProperty("calibrated", True)
        else:
            self._show_red("Uncalibrated: all results are in px. Give the scale with Calibrate.")

    # --- inside ----------------------------------------------------------------------

    def _show_red(self, text: str) -> None:
        """Show the calibration line as missing."""
        self.calibration_line.setText(f"⚠ {text}")
        self.calibration_line.setStyleSheet(f"color: {MISSING}; font-weight: bold;")
        self.calibration_line.setProperty("calibrated", False)

    def _header(self) -> QFormLayout:
        """Make the row with the layer chooser and the copy button."""
        copy = QToolButton()
        copy.setText("Py")
        copy.setToolTip("Copy as Python: the exact call that this widget makes")
        copy.clicked.connect(self._copy_python)
        self.copy_button = copy
        row = QHBoxLayout()
        row.addWidget(self.chooser, 1)
        row.addWidget(copy)
        form = QFormLayout()
        form.addRow({"Image": "Image", "Labels": "Particles"}[self.kind], row)
        return form

    def _footer(self) -> QVBoxLayout:
        """Make the run button, the progress bar and the status line."""
        self.run_button = QPushButton(self.run_text)
        self.run_button.clicked.connect(self._on_button)
        self.progress_bar = QProgressBar()
        self.progress_bar.setTextVisible(False)
        self.progress_bar.setFixedHeight(6)
        self.progress_bar.setVisible(False)
        self.status_line = wrapped_label()
        footer = QVBoxLayout()
        footer.addWidget(self.run_button)
        footer.addWidget(self.progress_bar)
        footer.addWidget(self.status_line)
        return footer

    def _on_layer(self, layer: Any) -> None:
        """Show what is known about another layer."""
        self.run_button.setEnabled(layer is not None or self.work.running)
        self.show_calibration()
        self.layer_changed(layer)

    def _on_button(self) -> None:
        """Run, or cancel what runs."""
        if self.work.running:
            self.say("Stopping ...")
            self.work.cancel()
            return
        try:
            self.run()
        except SemError as error:
            self.fail(error)

    def _on_progress(self, done: int, total: int, what: str) -> None:
        """Move the bar."""
        if self.work.running:
            self.progress_bar.setRange(0, max(total, 1))
            self.progress_bar.setValue(done)
            self.say(f"{what} ...")

    def _on_finished(self, outcome: Outcome) -> None:
        """Show how the work ended and hand its value on."""
        self.progress_bar.setVisible(False)
        self.run_button.setText(self.run_text)
        self.run_button.setEnabled(self.chooser.layer() is not None)
        done, self._done = self._done, None
        if outcome.cancelled:
            self.say("Cancelled; nothing was changed.")
        elif outcome.error is not None:
            self.fail(outcome.error)
        elif done is not None:
            try:
                done(outcome.value)
            except SemError as error:
                self.fail(error)

    def _copy_python(self) -> None:
        """Put the call on the clipboard."""
        if self.chooser.layer() is None:
            self.say(self.wants)
            return
        try:
            text = self.python()
        except SemError as error:
            self.fail(error)
            return
        QApplication.clipboard().setText(text)
        self.say("Copied as Python.")

    def _on_theme(self, event: Any = None) -> None:
        """Take the colours of the new theme."""
        self.show_calibration()

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Ask for a narrow dock: the picture needs the width."""
        return QSize(_MIN_WIDTH + 40, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Do not make the window grow when docks lie above each other for a moment."""
        least = super().minimumSizeHint()
        return QSize(least.width(), min(least.height(), _MIN_HEIGHT))

    def showEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Join the tabs of the other widgets of the suite when shown for the first time."""
        super().showEvent(event)
        if not self._tabbed:
            self._tabbed = True
            self._join_tabs()  # at once: stacked docks would make the window grow
            QTimer.singleShot(0, self._bring_up)

    def closeEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Stop the work and let go of the viewer."""
        self.release()
        super().closeEvent(event)

    def release(self) -> None:
        """Stop the work and take all connections back."""
        self.work.abandon()
        self.links.release()
        for chooser in self.choosers:
            chooser.release()

    def _join_tabs(self) -> None:
        """Put our dock into one tab group with another of ours; napari stacks them."""
        dock = dock_of(self)
        window = dock.parent() if dock is not None else None
        if dock is None or not isinstance(window, QMainWindow) or dock.isFloating():
            return
        for other in window.findChildren(SemWidget):
            neighbour = dock_of(other)
            if other is self or neighbour is None or not neighbour.isVisible():
                continue
            if window.dockWidgetArea(neighbour) == window.dockWidgetArea(dock):
                window.tabifyDockWidget(neighbour, dock)
                return

    def _bring_up(self) -> None:
        """Show our tab in front of the others."""
        dock = dock_of(self)
        if dock is not None:
            dock.raise_()


MISSING = "#e5484d"  # the red of doubtful particles and of a missing scale, in both themes


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget lies in."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def _theme_event() -> Any:
    """Return the event that napari emits when the theme changes."""
    from napari.settings import get_settings

    return get_settings().appearance.events.theme
