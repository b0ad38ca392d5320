"""Results to stdout; progress, warnings and errors to stderr; Ctrl-C as a wish to stop."""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from types import FrameType, TracebackType
from typing import Any, Self

from napari_sem_tools.errors import SemError, SemWarning
from napari_sem_tools.files import json_text

__all__ = ["Console", "say_error"]

_LINE_EVERY = 0.1  # share of the work after which a plain line is written


class Console:
    """How a command talks: ``with Console() as console: ...``.

    Parameters
    ----------
    quiet : bool
        Only results and errors.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._stop = threading.Event()
        self._stop_said = False
        self._bar: Any = None
        self._said = ("", -1.0)
        self._before: Any = None
        self._filters: Any = None

    def __enter__(self) -> Self:
        """Take over Ctrl-C and warnings."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupted)
        self._filters = warnings.catch_warnings()
        self._filters.__enter__()
        warnings.simplefilter("always", SemWarning)
        warnings.showwarning = self._warn
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give back Ctrl-C and warnings."""
        self.end_progress()
        self._filters.__exit__(kind, error, trace)
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def cancel(self) -> bool:
        """Return True once the user pressed Ctrl-C; given to the functions."""
        stop = self._stop.is_set()
        if stop and not self._stop_said:
            self._stop_said = True
            self.note("stopping ... (Ctrl-C again: at once)")
        return stop

    def progress(self, done: int, total: int, what: str) -> None:
        """Show how far the work is: a bar in a terminal, else a line now and then."""
        if self.quiet:
            return
        if sys.stderr.isatty():
            self._move_bar(done, total, what)
            return
        share = done / total if total else 1.0
        said, at = self._said
        if what != said or share - at >= _LINE_EVERY:
            print(f"{share:4.0%} {what}", file=sys.stderr)
            self._said = (what, share)

    def end_progress(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def note(self, text: str) -> None:
        """Say something beside the results."""
        if not self.quiet:
            self.end_progress()
            print(text, file=sys.stderr)

    def fail(self, error: SemError) -> None:
        """Name an input that failed; the others go on."""
        self.end_progress()
        say_error(error.message, error.hint)

    def result(self, text: str) -> None:
        """Write a result to stdout."""
        self.end_progress()
        print(text)

    def result_json(self, content: Any) -> None:
        """Write a result to stdout, for machines: what is no number is null."""
        self.result(json_text(content))

    def _move_bar(self, done: int, total: int, what: str) -> None:
        """Move the bar of tqdm."""
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=total,
                file=sys.stderr,
                leave=False,
                bar_format="{percentage:3.0f}% |{bar:30}| {elapsed}<{remaining} {desc}",
            )
        self._bar.total = total
        self._bar.set_description_str(what, refresh=False)
        self._bar.update(done - self._bar.n)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """Ask the work to stop; at the second Ctrl-C do not wait for it."""
        if self._stop.is_set():
            raise KeyboardInterrupt
        self._stop.set()  # said in `cancel`: a signal may come in the middle of another line

    def _warn(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        """Say our own warnings in a line; those of libraries are for developers."""
        if issubclass(category, SemWarning):
            self.note(f"warning: {message}")


def say_error(message: str, hint: str) -> None:
    """Write an error and what to do about it to stderr."""
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
