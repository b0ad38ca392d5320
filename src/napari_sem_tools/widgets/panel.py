"""What every panel of the suite has: run button, progress, status, theme, tabs."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDockWidget,
    QLabel,
    QMainWindow,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.errors import SemError
from napari_sem_tools.widgets.work import Job, Outcome, Work

__all__ = [
    "Links",
    "Panel",
    "agrees",
    "dock_of",
    "late",
    "narrow",
    "scrolled",
    "theme_colour",
    "wrapped_label",
]

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


def narrow(box: QComboBox, letters: int = 8) -> QComboBox:
    """Let a long entry of a list not widen the dock."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(letters)
    return box


def late(parent: QObject, milliseconds: int, answer: Callable[..., Any]) -> QTimer:
    """Make a timer that fires once after a pause."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(answer)
    return timer


def agrees(parent: QWidget | None, title: str, text: str) -> bool:
    """Ask whether something may go for good; Enter says no."""
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    return bool(QMessageBox.question(parent, title, text, yes | no, no) == yes)


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


class Panel(QWidget):
    """Base of the widgets: run button, progress and status at the bottom, tabs in the dock.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    wants = ""  # what is missing when nothing can be run
    run_text = "Run"
    leaves_files = False  # what it runs; a late cancel cannot undo it then

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        # the proxy that napari hands to plugins makes a new object at each access
        self.viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.links = Links()
        self.work = Work(self)
        self.work.progressed.connect(self._on_progress)
        self.work.finished.connect(self._on_finished)
        self._done: Callable[[Any], None] | None = None
        self._tabbed = False
        self.setMinimumWidth(_MIN_WIDTH)
        # expanding, so that napari adds no stretch below
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(8, 8, 8, 8)
        self.copy_button = QToolButton()
        self.copy_button.setText("Py")
        self.copy_button.setToolTip("Copy as Python: the exact call that this widget makes")
        self.copy_button.clicked.connect(self._copy_python)
        footer = self._footer()
        self.head()
        self.body = QVBoxLayout()
        self.column.addLayout(self.body, 1)
        self.build()
        self.column.addLayout(footer)
        self.links.connect(_theme_event(), self._on_theme)
        self.destroyed.connect(self.links.release)

    # --- for the widgets -------------------------------------------------------------

    def head(self) -> None:
        """Fill `column` above `body`; called once, before `build`."""

    def build(self) -> None:
        """Fill `body`; called once."""

    def run(self) -> None:
        """Start the work; called by the button."""

    def can_run(self) -> bool:
        """Say whether the button may be clicked."""
        return True

    def python(self) -> str:
        """Return what "copy as Python" puts on the clipboard."""
        return ""

    def start(self, job: Job, done: Callable[[Any], None], description: str) -> None:
        """Run a job off the GUI thread; `done` gets its value in the GUI thread."""
        if self.work.running:
            return
        self._done = done
        self.progress_bar.setRange(0, 0)
        self.progress_bar.setVisible(True)
        self.run_button.setText("Cancel")
        self.run_button.setEnabled(True)
        self.say(f"{description} ...")
        self.work.start(job, description)

    def say(self, text: str, colour: str | None = None) -> None:
        """Show a line of status, in a colour of the theme for warnings and errors."""
        self.status_line.setText(text)
        self.status_line.setStyleSheet(f"color: {theme_colour(colour)};" if colour else "")

    def fail(self, error: SemError) -> None:
        """Show an error: its sentence and what to do."""
        self.say(f"⚠ {error.message} {error.hint}".strip(), "warning")

    def release(self) -> None:
        """Stop the work and take all connections back."""
        self.work.abandon()
        self.links.release()

    # --- inside ----------------------------------------------------------------------

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

    def _on_button(self) -> None:
        """Run, or cancel what runs."""
        if self.work.running:
            self.say("Stopping ...")
            self.work.cancel(let_go=not self.leaves_files)
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
        self.run_button.setEnabled(self.can_run())
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
        if not self.can_run():
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

    def changeEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Stop when the dock is closed: napari takes the widget out of it and closes nothing."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self._tabbed and self.parent() is None:
            self.release()

    def _join_tabs(self) -> None:
        """Put our dock into one tab group with another of ours; napari stacks them."""
        dock = dock_of(self)
        window = dock.parent() if dock is not None else None
        if dock is None or not isinstance(window, QMainWindow) or dock.isFloating():
            return
        for other in window.findChildren(Panel):
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
