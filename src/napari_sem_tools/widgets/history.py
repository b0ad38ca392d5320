"""What a user can take back and make again: one state now, those before and after; no Qt here."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Undoable"]

State = TypeVar("State")


class Undoable(Generic[State]):
    """Base of what has steps that can be taken back.

    Parameters
    ----------
    state : any
        How it begins; a step puts another object in its place.

    Examples
    --------
    >>> marks = Undoable(())
    >>> marks.step_to(("a",))
    >>> marks.undo()
    >>> marks.state, marks.can_undo, marks.can_redo
    ((), False, True)
    >>> marks.redo()
    >>> marks.state
    ('a',)
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self._before: list[State] = []
        self._after: list[State] = []

    @property
    def can_undo(self) -> bool:
        """Whether a step can be taken back."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether a step that was taken back can be made again."""
        return bool(self._after)

    def step_to(self, state: State) -> None:
        """Go on to another state; what was taken back is forgotten."""
        self._before.append(self.state)
        self._after.clear()
        self.state = state
        self.state_changed()

    def undo(self) -> None:
        """Take the last step back."""
        self._swap(self._before, self._after)

    def redo(self) -> None:
        """Make it again."""
        self._swap(self._after, self._before)

    def forget_steps(self) -> None:
        """Let nothing be taken back."""
        self._before.clear()
        self._after.clear()

    def state_changed(self) -> None:
        """React to another state."""

    def _swap(self, source: list[State], target: list[State]) -> None:
        """Take the state of one stack and put the present one on the other."""
        if source:
            target.append(self.state)
            self.state = source.pop()
            self.state_changed()
