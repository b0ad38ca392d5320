"""The page of the Train widget that shows how a training goes: curves, previews, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QPushButton, QSplitter, QVBoxLayout, QWidget

from napari_sem_tools.training.running.events import TrainingEvent
from napari_sem_tools.widgets.panel import wrapped_label
from napari_sem_tools.widgets.train.curves import CurvesView, score_words
from napari_sem_tools.widgets.train.previews import PreviewView

__all__ = ["CoursePage", "readable_time"]

_MUCH = 100  # seconds or minutes; from there on the next unit


class CoursePage(QWidget):
    """Everything that a training tells, as pictures.

    Its signal ``used`` comes when the new model is wanted.
    """

    used = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.curves, self.previews = CurvesView(), PreviewView()
        self.note_line = wrapped_label()
        self.use_button = QPushButton("Use it")
        self.use_button.setToolTip("Open Segment particles with this model as its method")
        self.use_button.clicked.connect(self.used)
        self.use_button.hide()
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.curves)
        split.addWidget(self.previews)
        split.setChildrenCollapsible(False)
        split.setSizes([1000, 1000])  # parts of the height
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.addWidget(split, 1)
        column.addWidget(self.note_line)
        column.addWidget(self.use_button)

    def clear(self, rows: Sequence[Mapping[str, float]] = (), epochs: int = 0) -> None:
        """Begin with an earlier course, or with nothing.

        Parameters
        ----------
        rows : sequence of dict
            As `read_log` gives them.
        epochs : int
            How many are planned.
        """
        self.notes = []
        self.note_line.clear()
        self.note_line.setToolTip("")
        self.use_button.hide()
        self.curves.show_course(rows, epochs)
        if not rows:
            self.previews.show_files(())

    def take(self, event: TrainingEvent) -> str:
        """Show a piece of news; return the words for the status line, if there are any."""
        if event.kind == "note":
            self._note(event.text)
        elif event.kind == "plan":
            self.note_line.setToolTip(event.text)
            self.curves.begin(event.epochs, event.scores)
        elif event.kind == "step" and event.loss is not None:
            self.curves.show_now(event.epoch - 1 + event.step / max(event.steps, 1), event.loss)
            return _words(event)
        elif event.kind == "epoch":
            if event.best:
                self.curves.best = event.epoch
            self.curves.add_epoch(event.epoch, event.loss, event.scores)
            self.previews.show_files(event.previews)
            return _words(event)
        return ""

    def offer(self, name: str) -> None:
        """Show the button that goes on with a new model."""
        self.use_button.setText(f"Use {name} in Segment particles")
        self.use_button.show()

    def restyle(self) -> None:
        """Take the colours of the theme."""
        self.curves.redraw()

    def release(self) -> None:
        """Draw no more."""
        self.curves.release()

    def _note(self, text: str) -> None:
        """Show what wants to be read; earlier notes are in the tooltip."""
        self.notes.append(text)
        self.note_line.setText(text)
        self.note_line.setToolTip("\n".join(self.notes))


def readable_time(seconds: float) -> str:
    """Write a time as one would say it.

    Examples
    --------
    >>> readable_time(45), readable_time(600), readable_time(8000)
    ('45 s', '10 min', '2 h 13 min')
    """
    if seconds < _MUCH:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < _MUCH else f"{minutes // 60} h {minutes % 60} min"


def _words(event: TrainingEvent) -> str:
    """Say how far it is, how good and how long still."""
    parts: list[Any] = [f"Epoch {event.epoch} of {event.epochs}"]
    if event.loss is not None:
        parts.append(f"loss {event.loss:.3g}")
    if event.scores:
        parts.append(score_words(event.scores, 1))
    if event.seconds_left is not None:
        parts.append(f"{readable_time(event.seconds_left)} left")
    return ", ".join(parts)
