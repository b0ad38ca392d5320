"""Progress and cancelling: how long work talks to whoever started it.

``progress(done, total, what)`` is called from the working thread; ``cancel()`` returns
True when the user wants to stop.  Both may be None.
"""

from __future__ import annotations

from collections.abc import Callable

from napari_sem_tools.errors import Cancelled

__all__ = ["Cancel", "Progress", "part_of", "report", "stop_if_cancelled"]

Progress = Callable[[int, int, str], None]
Cancel = Callable[[], bool]

_STEPS = 1000  # resolution of a part of a longer progress


def stop_if_cancelled(cancel: Cancel | None) -> None:
    """Raise `Cancelled` when the user asked to stop."""
    if cancel is not None and cancel():
        raise Cancelled


def report(progress: Progress | None, done: int, total: int, what: str) -> None:
    """Tell how far the work is, if anybody listens."""
    if progress is not None:
        progress(done, total, what)


def part_of(progress: Progress | None, first: float, last: float) -> Progress | None:
    """Make the progress of a step that is one part of a longer work.

    Parameters
    ----------
    progress : callable or None
        The progress of the whole.
    first, last : float
        The part as fractions of the whole, between 0 and 1.

    Returns
    -------
    callable or None
        To be handed to the step; None when `progress` is None.

    Examples
    --------
    >>> seen = []
    >>> step = part_of(lambda done, total, what: seen.append(done / total), 0.5, 1.0)
    >>> step(1, 2, "measuring")
    >>> seen
    [0.75]
    """
    if progress is None:
        return None
    whole = progress

    def forward(done: int, total: int, what: str) -> None:
        share = done / total if total else 1.0
        whole(round(_STEPS * (first + (last - first) * share)), _STEPS, what)

    return forward
