"""A list of files with a filter, undo and export: what a page for many files has."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QApplication, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_sem_tools.errors import SemError
from napari_sem_tools.files import write_text
from napari_sem_tools.widgets.gallery.parts import asked_csv, button_row
from napari_sem_tools.widgets.panel import late, wrapped_label

__all__ = ["FileList", "first_names"]

_LATE_MS, _TYPING_MS = 120, 250
_REST = 10  # times what showing the list takes, between two of them while files come in
_MOST_OPENED = 12  # at once
_MOST_RED = 3  # unreadable files that are named in the status line


class FileList(QWidget):
    """Base of the lists of files; `files` knows them, `view` shows the lines of `model`.

    Its signal ``changed`` says that files, or what is said of them, are others.

    Parameters
    ----------
    panel : Panel
        Opens files and shows words.
    """

    changed = Signal()
    export_title, export_name = "Export", "files.csv"
    wants_choice = "Choose files in the list first."

    def __init__(self, panel: Any) -> None:
        super().__init__()
        self.panel = panel
        self.files, self.model, self.view = self.parts()
        self.view.asked.connect(self.do)
        self.view.opened.connect(panel.open_file)
        self.answers: dict[str, Callable[[], Any]] = {
            "undo": self._undo,
            "redo": self._redo,
            "open": self._open,
            "copy": self._copy_rows,
            "export": self._export,
        }
        self.buttons: dict[str, QPushButton] = {}
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.line = wrapped_label()
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self._late = late(self, _LATE_MS, self.refresh)
        self._typing = late(self, _TYPING_MS, self._on_filter)
        self.filter.textChanged.connect(lambda _: self._typing.start())
        self.build()
        self.show_state()

    # --- for the lists -------------------------------------------------------------------

    def parts(self) -> tuple[Any, Any, Any]:
        """Make what knows the files, with undo, a `RowsModel` of their paths, and its view."""
        raise TypeError("A list of files says what it is made of.")

    def build(self) -> None:
        """Fill `column` and add to `answers`; called once."""

    def add_buttons(self, buttons: Mapping[str, tuple[str, str]]) -> None:
        """Add a row of buttons, each named after what it does."""
        row, made = button_row(buttons, self.do)
        self.column.addLayout(row)
        self.buttons |= made

    def show_rows(self) -> None:
        """Show what came, was changed or was filtered.

        Raises
        ------
        InvalidSettings
            The filter cannot be understood.
        """

    def show_state(self) -> None:
        """Say how many files there are, and offer what can be done with them."""

    def exported(self, files: list[Path]) -> Any:
        """Return the table of some files as it is written."""

    def copied(self, files: list[Path]) -> Any:
        """Return the table of some files as it is copied."""
        return self.exported(files)

    def came(self) -> None:
        """Show a file that came a moment later, with those beside it."""
        if not self._late.isActive():
            self._late.start()

    def show_counts(self, counts: Mapping[str, int], empty: str) -> None:
        """Say how many files there are, and how many of a kind."""
        number, shown = len(self.files.rows), self.model.rowCount()
        parts = [f"{number} file{'s' if number != 1 else ''}"]
        parts += [f"{count} {name}" for name, count in counts.items() if count]
        parts += [f"{shown} shown"] if shown != number else []
        self.line.setText(", ".join(parts) if number else empty)

    def change_chosen(self, change: Callable[[list[Path], str], Any], value: str) -> None:
        """Change the chosen files; a single one gives way to the next."""
        chosen = self.view.chosen()
        if not chosen:
            self.panel.say(self.wants_choice)
            return
        last, before = self.model.row_of(chosen[-1]), self.model.rowCount()
        change(chosen, value)
        self.refresh()
        if len(chosen) == 1:
            stayed = self.model.rowCount() == before
            self.view.choose_row(min(last + stayed, self.model.rowCount() - 1))

    # --- content -------------------------------------------------------------------------

    def refresh(self, *_: Any) -> None:
        """Show what came, was changed or was filtered."""
        self._late.stop()
        started = time.perf_counter()
        try:
            self.show_rows()
        except SemError as error:
            self.panel.fail(error)
        self.show_state()
        self.changed.emit()
        spent = 1e3 * (time.perf_counter() - started)
        self._late.setInterval(max(_LATE_MS, round(_REST * spent)))  # long lists: less often

    def release(self) -> None:
        """Stop redrawing."""
        self._late.stop()
        self._typing.stop()

    def _on_filter(self, *_: Any) -> None:
        """Show other files."""
        self.refresh()

    # --- what can be done ----------------------------------------------------------------

    def do(self, what: str) -> None:
        """Do what a key or a button asks for, to the chosen files."""
        try:
            self.answers[what]()
        except SemError as error:
            self.panel.fail(error)

    def _undo(self) -> None:
        """Take the last step back."""
        self.files.undo()
        self.refresh()

    def _redo(self) -> None:
        """Make it again."""
        self.files.redo()
        self.refresh()

    def _open(self) -> None:
        """Open the chosen files as layers; one that is open already is selected."""
        for path in self.view.chosen()[:_MOST_OPENED]:
            self.panel.open_file(path)

    def _copy_rows(self) -> None:
        """Copy the chosen rows for a spreadsheet, all that are shown without a choice."""
        table = self.copied(self.view.chosen() or self.model.listed())
        QApplication.clipboard().setText(table.to_csv(index=False, sep="\t", lineterminator="\n"))
        self.panel.say(f"{len(table)} rows copied.")

    def _export(self) -> None:
        """Write what is shown as CSV."""
        from napari_sem_tools.reporting import csv_text

        path = asked_csv(self, self.export_title, self.export_name)
        if path is None:
            return
        table = self.exported(self.model.listed())
        write_text(path, csv_text(table))
        self.panel.say(f"{len(table)} rows written to {path.name}.")


def first_names(names: list[str]) -> str:
    """Name a few files, and say that there are more.

    Examples
    --------
    >>> first_names(["a", "b", "c", "d"])
    'a, b, c ...'
    """
    return ", ".join(names[:_MOST_RED]) + (" ..." if len(names) > _MOST_RED else "")
