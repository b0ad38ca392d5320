"""The part of the Focus widget with which a user says what a frame deserves."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QGroupBox,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QVBoxLayout,
)

from napari_sem_tools.errors import SemError
from napari_sem_tools.focus import FocusScore
from napari_sem_tools.focus.files.taught import TaughtFrame
from napari_sem_tools.widgets.focus.memory import Memory
from napari_sem_tools.widgets.panel import wrapped_label

__all__ = ["TeachBox"]

_STEPS = 100  # of the slider; a tenth of a point each
_MOST_LISTED = 12  # in the tooltip


class TeachBox(QGroupBox):
    """A slider from 0 to 10 for the frame that is shown; remembered frames change the score.

    Its signal ``failed`` brings an error.

    Parameters
    ----------
    memory : Memory
    """

    failed = Signal(object)

    def __init__(self, memory: Memory) -> None:
        super().__init__("Your own score")
        self.memory = memory
        self._frame: tuple[str, FocusScore] | None = None
        self.setToolTip(
            "Score a few frames of your own microscope; from then on the score follows your eye"
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.valueChanged.connect(self._on_slider)
        self.number = QDoubleSpinBox()
        self.number.setRange(0, 10)
        self.number.setDecimals(1)
        self.number.setSingleStep(0.5)
        self.number.setMaximumWidth(76)
        self.number.valueChanged.connect(self._on_number)
        self.remember = QPushButton("Remember")
        self.remember.setToolTip("Keep this score of the frame that is shown, for all sessions")
        self.remember.clicked.connect(self._on_remember)
        self.undo = QPushButton("Undo")
        self.undo.setToolTip("Take the last frame back")
        self.undo.clicked.connect(lambda: self._try(self.memory.undo))
        self.forget = QPushButton("Forget all")
        self.forget.setToolTip("Score as the program does; can be undone")
        self.forget.clicked.connect(lambda: self._try(self.memory.forget))
        self.line = wrapped_label()
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.slider, 1)
        first.addWidget(self.number)
        for button in (self.remember, self.undo, self.forget):
            button.setStyleSheet("padding: 3px 6px;")
            second.addWidget(button)
        second.addStretch(1)
        column = QVBoxLayout(self)
        column.addLayout(first)
        column.addLayout(second)
        column.addWidget(self.line)
        memory.changed.connect(self.show_state)
        self.show_state()

    def show_frame(self, frame: tuple[str, FocusScore] | None) -> None:
        """Offer another frame, with the score of the program.

        Parameters
        ----------
        frame : (str, FocusScore) or None
            Name and untaught score; None where there is nothing to score.
        """
        before = None if self._frame is None else self._frame[0]
        self._frame = frame if frame is not None and frame[1].information else None
        if self._frame is not None and self._frame[0] != before:
            self._set(self.memory.lesson.taught(self._frame[1]).score)
        for part in (self.slider, self.number, self.remember):
            part.setEnabled(self._frame is not None)

    def show_state(self) -> None:
        """Say how many frames are remembered and what follows from them."""
        frames = self.memory.frames
        if not frames:
            self.line.setText("Score some frames of your own; the score then follows your eye.")
        else:
            self.line.setText(self.memory.lesson.describe())
        listed = [
            f"{one.name}: {one.given:.1f} (program {one.predicted:.1f})"
            for one in frames[-_MOST_LISTED:]
        ]
        self.line.setToolTip("\n".join(listed))
        self.undo.setEnabled(self.memory.can_undo)
        self.forget.setEnabled(bool(frames))

    def _on_remember(self) -> None:
        """Keep the score of the frame that is shown."""
        if self._frame is None:
            return
        name, score = self._frame
        frame = TaughtFrame(name, score.score, self.number.value(), score.method)
        self._try(lambda: self.memory.remember(frame))

    def _try(self, action: Any) -> None:
        """Do something that writes to disk."""
        try:
            action()
        except SemError as error:
            self.failed.emit(error)

    def _set(self, value: float) -> None:
        """Put slider and number to a score."""
        with QSignalBlocker(self.slider), QSignalBlocker(self.number):
            self.slider.setValue(round(value * _STEPS / 10))
            self.number.setValue(value)

    def _on_slider(self, place: int) -> None:
        """Let the number follow."""
        self._set(place * 10 / _STEPS)

    def _on_number(self, value: float) -> None:
        """Let the slider follow."""
        self._set(value)
