"""What a user taught the score, seen by all pages: remembered, undone, kept on disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from qtpy.QtCore import QObject, Signal

from napari_sem_tools.errors import SemError
from napari_sem_tools.focus import FocusScore
from napari_sem_tools.focus.files.taught import (
    TaughtFrame,
    TaughtScore,
    read_taught,
    write_taught,
)
from napari_sem_tools.focus.score import Method
from napari_sem_tools.micrograph import Micrograph

__all__ = ["Memory"]


class Memory(QObject):
    """Frames that the user scored, with undo; ``changed`` says that scores read otherwise now.

    Attributes
    ----------
    lesson : TaughtScore
        What follows from the frames.
    problem : SemError or None
        Why the frames of an earlier time could not be read.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.problem: SemError | None = None
        self._before: list[tuple[TaughtFrame, ...]] = []
        try:
            frames = read_taught()
        except SemError as error:
            frames, self.problem = (), error
        self.lesson = TaughtScore(frames)

    @property
    def frames(self) -> tuple[TaughtFrame, ...]:
        """The frames, in the order in which they were remembered."""
        return self.lesson.frames

    @property
    def can_undo(self) -> bool:
        """Whether something can be taken back, of this session or the last frame of before."""
        return bool(self._before) or bool(self.frames)

    def scoring(self, measures: Sequence[str] = ()) -> Callable[[Micrograph], FocusScore]:
        """Return what scores an image as the user taught it; it may be called in a thread.

        Parameters
        ----------
        measures : sequence of str, optional
            Classical measures that each score brings along.
        """
        return dataclasses.replace(self.lesson, measures=tuple(measures))

    def use_method(self, method: Method) -> None:
        """Score by another method: ``"auto"``, ``"mix"`` or ``"network"``."""
        if method != self.lesson.method:
            self.lesson = dataclasses.replace(self.lesson, method=method)
            self.changed.emit()

    def remember(self, frame: TaughtFrame) -> None:
        """Add a frame; one of the same name and the same score of the program is replaced.

        Raises
        ------
        SemError
            The frames cannot be kept on disk; nothing is changed.
        """
        others = [
            one
            for one in self.frames
            if (one.name, round(one.predicted, 2)) != (frame.name, round(frame.predicted, 2))
        ]
        self._set((*others, frame))

    def forget(self) -> None:
        """Forget all frames; can be undone."""
        if self.frames:
            self._set(())

    def undo(self) -> None:
        """Take the last change back; of an earlier session, the last frame."""
        if self._before:
            former = self._before.pop()
        elif self.frames:
            former = self.frames[:-1]
        else:
            return
        self._keep(former)
        self._take(former)

    def _set(self, frames: tuple[TaughtFrame, ...]) -> None:
        """Keep other frames."""
        self._keep(frames)
        self._before.append(self.frames)
        self._take(frames)

    def _keep(self, frames: tuple[TaughtFrame, ...]) -> None:
        """Write the frames down, but never over some that could not be read."""
        if self.problem is not None:
            raise self.problem
        write_taught(frames)

    def _take(self, frames: tuple[TaughtFrame, ...]) -> None:
        """Score by other frames from now on."""
        self.lesson = dataclasses.replace(self.lesson, frames=frames)
        self.changed.emit()
