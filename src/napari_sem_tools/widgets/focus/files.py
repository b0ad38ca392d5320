"""Scored files with what can be done with them: filter, marks, export, copy and move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.errors import SemError
from napari_sem_tools.files import write_text
from napari_sem_tools.focus.files.folder import FileScore, scores_table
from napari_sem_tools.focus.files.transfer import Transfer, companions, transfer_files
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.focus.state import KEEP, REJECT, VIEWS, ScoredFiles
from napari_sem_tools.widgets.focus.table import FilesModel, FilesView
from napari_sem_tools.widgets.panel import wrapped_label

__all__ = ["FilesBox", "agrees", "asked_file", "asked_folder"]

_LATE_MS = 120  # between two redraws while files come in
_TYPING_MS = 250
_POOR = 5.0  # score that is offered as the limit
_TIGHT = "padding: 3px 5px;"  # many buttons in a narrow dock
_BUTTONS = {
    "keep": ("✓ Keep", "Mark the chosen files as good (K)"),
    "reject": ("✕ Reject", "Mark the chosen files as poor (R)"),
    "unmark": ("Unmark", "Take the marks of the chosen files away (U)"),
    "undo": ("↶", "Undo the last marks (Ctrl+Z)"),
    "redo": ("↷", "Redo (Ctrl+Shift+Z)"),
    "open": ("Open", "Open the chosen files in the viewer (Enter, double-click)"),
}
_EXPORTS = {
    "export": ("Export CSV ...", "Write the table as it is shown, with all columns"),
    "copy kept": ("Copy kept ...", "Copy the kept files and their side-cars into a folder"),
    "move rejected": (
        "Move rejected ...",
        "Move the rejected files and their side-cars into a folder; asks before, can be undone",
    ),
    "move back": ("Undo move", "Put the files that were moved last back where they were"),
}
_MARKS = {"keep": KEEP, "reject": REJECT, "unmark": ""}
_MOST_OPENED = 12  # at once


class FilesBox(QWidget):
    """A table of scored files, and the buttons round it.

    Parameters
    ----------
    panel : Panel
        Runs what takes time and shows words.
    """

    changed = Signal()

    def __init__(self, panel: Any) -> None:
        super().__init__()
        self.panel = panel
        self.files = ScoredFiles()
        self.model = FilesModel(self.files)
        self.view = FilesView(self.model)
        self.view.asked.connect(self.do)
        self.view.opened.connect(self.panel.open_file)
        self.transfer: Transfer | None = None
        self.buttons: dict[str, QPushButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._filter_row())
        column.addWidget(self.view, 1)
        self.line = wrapped_label()
        column.addWidget(self.line)
        column.addLayout(self._button_row(_BUTTONS))
        column.addLayout(self._limit_row())
        column.addLayout(self._button_row(_EXPORTS))
        self._late = _timer(self, _LATE_MS, self.refresh)
        self._typing = _timer(self, _TYPING_MS, self._on_filter)
        self.show_state()

    def _filter_row(self) -> QHBoxLayout:
        """Make the view and the filter."""
        self.which = QComboBox()
        self.which.addItems(list(VIEWS))
        self.which.currentTextChanged.connect(self._on_filter)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("filter: words, or score < 5")
        self.filter.setToolTip(
            "Words that name or reasons hold, or an expression of the exported columns, such as "
            "score < 5 and snr > 2"
        )
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(lambda _: self._typing.start())
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.which)
        row.addWidget(self.filter, 1)
        return row

    def _limit_row(self) -> QHBoxLayout:
        """Make the limit below which files are rejected together."""
        self.limit = QDoubleSpinBox()
        self.limit.setRange(0, 10)
        self.limit.setDecimals(1)
        self.limit.setSingleStep(0.5)
        self.limit.setValue(_POOR)
        self.limit.setMaximumWidth(84)
        self.limit.setToolTip("Score below which Reject below marks files")
        self.below = QPushButton("Reject below")
        self.below.setStyleSheet(_TIGHT)
        self.below.setToolTip("Reject all files that score less, or that have no score")
        self.below.clicked.connect(self.reject_below)
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(self.below)
        row.addWidget(self.limit)
        row.addStretch(1)
        return row

    def _button_row(self, buttons: dict[str, tuple[str, str]]) -> QHBoxLayout:
        """Make a row of what can be done."""
        row = QHBoxLayout()
        row.setSpacing(3)
        for name, (text, tip) in buttons.items():
            button = QPushButton(text)
            button.setToolTip(tip)
            button.setStyleSheet(_TIGHT)
            button.clicked.connect(lambda _=False, name=name: self.do(name))
            self.buttons[name] = button
            row.addWidget(button)
        row.addStretch(1)
        return row

    # --- content -------------------------------------------------------------------------

    def add(self, row: FileScore, picture: NDArray[np.uint8] | None = None) -> None:
        """Take a file that was scored; it is shown a moment later, with those beside it."""
        self.files.add(row, picture)
        if not self._late.isActive():
            self._late.start()

    def clear(self) -> None:
        """Forget all files."""
        self._late.stop()
        self.files.clear()
        self.model.clear()
        self.transfer = None
        self.show_state()

    def refresh(self) -> None:
        """Show what came, was marked or was filtered."""
        try:
            self.model.refresh()
        except SemError as error:
            self.panel.fail(error)
        self.show_state()
        self.changed.emit()

    def show_state(self) -> None:
        """Say how many files there are, and offer what can be done with them."""
        files = self.files
        kept, rejected = len(files.marked(KEEP)), len(files.marked(REJECT))
        failed = sum(row.score is None for row in files.rows)
        parts = [f"{len(files.rows)} file{'s' if len(files.rows) != 1 else ''}"]
        parts += [f"{kept} kept"] if kept else []
        parts += [f"{rejected} rejected"] if rejected else []
        parts += [f"{failed} not readable"] if failed else []
        shown = self.model.rowCount()
        parts += [f"{shown} shown"] if shown != len(files.rows) else []
        self.line.setText(", ".join(parts) if files.rows else "No file is scored yet.")
        for name in ("keep", "reject", "unmark", "open", "export"):
            self.buttons[name].setEnabled(bool(files.rows))
        self.below.setEnabled(bool(files.rows))
        self.buttons["undo"].setEnabled(files.can_undo)
        self.buttons["redo"].setEnabled(files.can_redo)
        self.buttons["copy kept"].setEnabled(kept > 0)
        self.buttons["move rejected"].setEnabled(rejected > 0)
        self.buttons["move back"].setVisible(self.transfer is not None)

    def _on_filter(self, *_: Any) -> None:
        """Show other files."""
        self.model.view_name = self.which.currentText()
        self.model.text = self.filter.text()
        self.refresh()

    # --- what can be done ----------------------------------------------------------------

    def do(self, what: str) -> None:
        """Do what a key or a button asks for, to the chosen files."""
        if what in _MARKS:
            self._mark(_MARKS[what])
            return
        actions = {
            "undo": self._undo,
            "redo": self._redo,
            "open": self._open,
            "copy": self._copy_rows,
            "export": self._export,
            "copy kept": lambda: self._ask_transfer(KEEP, move=False),
            "move rejected": lambda: self._ask_transfer(REJECT, move=True),
            "move back": self._move_back,
        }
        try:
            actions[what]()
        except SemError as error:
            self.panel.fail(error)

    def reject_below(self) -> None:
        """Reject what scores less than the limit."""
        count = self.files.mark_below(self.limit.value())
        self.refresh()
        self.panel.say(f"{count} more rejected below {self.limit.value():.1f}.")

    def _mark(self, mark: str) -> None:
        """Mark the chosen files, and go on to the next one."""
        chosen = self.view.chosen()
        if not chosen:
            self.panel.say("Choose files in the table first.")
            return
        last = max(index.row() for index in self.view.selectionModel().selectedRows())
        before = self.model.rowCount()
        self.files.mark(chosen, mark)
        self.refresh()
        if len(chosen) == 1:
            stayed = self.model.rowCount() == before
            self.view.choose_row(min(last + stayed, self.model.rowCount() - 1))

    def _undo(self) -> None:
        """Take the last marks back."""
        self.files.undo()
        self.refresh()

    def _redo(self) -> None:
        """Set them again."""
        self.files.redo()
        self.refresh()

    def _open(self) -> None:
        """Open the chosen files as layers; one that is open already is selected."""
        for path in self.view.chosen()[:_MOST_OPENED]:
            self.panel.open_file(path)

    def _copy_rows(self) -> None:
        """Copy the chosen rows for a spreadsheet, all that are shown without a choice."""
        chosen = set(self.view.chosen())
        rows = [row for row in self.model.rows() if not chosen or row.file in chosen]
        table = scores_table(rows, marks=self.files.marks)
        QApplication.clipboard().setText(table.to_csv(index=False, sep="\t", lineterminator="\n"))
        self.panel.say(f"{len(rows)} rows copied.")

    def _export(self) -> None:
        """Write what is shown as CSV."""
        from napari_sem_tools.reporting import csv_text

        path = asked_file(self, "Export the scores", "focus.csv")
        if path is None:
            return
        rows = self.model.rows()
        table = scores_table(rows, marks=self.files.marks, measures=self.files.measures())
        write_text(path, csv_text(table))
        self.panel.say(f"{len(rows)} rows written to {path.name}.")

    # --- copy and move -------------------------------------------------------------------

    def _ask_transfer(self, mark: str, *, move: bool) -> None:
        """Copy or move the files of a mark, after asking where to and whether."""
        files = self.files.marked(mark)
        verb = "Move" if move else "Copy"
        folder = asked_folder(self, f"{verb} {len(files)} files to", files[0].parent)
        if folder is None:
            return
        beside = sum(len(companions(file)) for file in files)
        cars = f" and {beside} side-cars" if beside else ""
        text = f"{verb} {len(files)} file{'s' if len(files) != 1 else ''}{cars} to\n{folder}?"
        if not agrees(self, text):
            self.panel.say("Nothing was changed.")
            return

        def job(progress: Progress, cancel: Cancel) -> Transfer:
            return transfer_files(files, folder, move=move, progress=progress, cancel=cancel)

        words = "Moving" if move else "Copying"
        self.panel.start_work(job, self._show_transfer, words, leaves_files=True)

    def _show_transfer(self, done: Transfer) -> None:
        """Take moved files out of the table; offer to move them back."""
        names = {old for old, _ in done.pairs}
        target = done.pairs[0][1].parent
        if done.moved:
            self.transfer = done
            self.files.remove(names)
        self.refresh()
        verb = "moved" if done.moved else "copied"
        self.panel.say(f"{len(done.pairs)} files {verb} to {target}.")

    def _move_back(self) -> None:
        """Undo the last move."""
        if self.transfer is None:
            return
        done, self.transfer = self.transfer, None
        done.undo()
        self.show_state()
        self.panel.say("The files are back where they were; score the folder to list them again.")

    def release(self) -> None:
        """Stop redrawing."""
        self._late.stop()
        self._typing.stop()


def agrees(parent: QWidget, text: str) -> bool:
    """Ask whether files may be copied or moved."""
    answer = QMessageBox.question(parent, "Focus", text)
    return bool(answer == QMessageBox.StandardButton.Yes)


def asked_folder(parent: QWidget, title: str, start: Path) -> Path | None:
    """Ask for a folder, None when the user thought better of it."""
    name = QFileDialog.getExistingDirectory(parent, title, str(start))
    return Path(name) if name else None


def asked_file(parent: QWidget, title: str, name: str) -> Path | None:
    """Ask where to write a CSV; the dialog asks before it replaces one."""
    chosen, _ = QFileDialog.getSaveFileName(parent, title, name, "Table (*.csv)")
    if not chosen:
        return None
    path = Path(chosen)
    return path if path.suffix else path.with_suffix(".csv")


def _timer(parent: QWidget, milliseconds: int, answer: Any) -> QTimer:
    """Make a timer that fires once after a pause."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(answer)
    return timer
