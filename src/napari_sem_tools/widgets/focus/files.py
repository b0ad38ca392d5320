"""Scored files with what can be done with them: filter, marks, export, copy and move."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QMessageBox,
    QPushButton,
    QWidget,
)

from napari_sem_tools.focus.files.folder import FileScore, scores_table
from napari_sem_tools.focus.files.transfer import Transfer, companions, transfer_files
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.focus.state import KEEP, REJECT, VIEWS, ScoredFiles
from napari_sem_tools.widgets.focus.table import FilesModel, FilesView
from napari_sem_tools.widgets.gallery.files import FileList
from napari_sem_tools.widgets.gallery.parts import TIGHT

__all__ = ["FilesBox", "agrees", "asked_folder"]

_POOR = 5.0  # score that is offered as the limit
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


class FilesBox(FileList):
    """A table of scored files, and the buttons round it.

    Parameters
    ----------
    panel : Panel
        Runs what takes time and shows words.
    """

    export_title, export_name = "Export the scores", "focus.csv"
    wants_choice = "Choose files in the table first."

    def parts(self) -> tuple[ScoredFiles, FilesModel, FilesView]:
        """Make the files and a table of them."""
        files = ScoredFiles()
        model = FilesModel(files)
        return files, model, FilesView(model)

    def build(self) -> None:
        """Put the rows round the table."""
        self.transfer: Transfer | None = None
        for what, mark in _MARKS.items():
            self.answers[what] = functools.partial(self.change_chosen, self.files.mark, mark)
        self.answers |= {
            "copy kept": lambda: self._ask_transfer(KEEP, move=False),
            "move rejected": lambda: self._ask_transfer(REJECT, move=True),
            "move back": self._move_back,
        }
        self.column.addLayout(self._filter_row())
        self.column.addWidget(self.view, 1)
        self.column.addWidget(self.line)
        self.add_buttons(_BUTTONS)
        self.column.addLayout(self._limit_row())
        self.add_buttons(_EXPORTS)

    def _filter_row(self) -> QHBoxLayout:
        """Make the view and the filter."""
        self.which = QComboBox()
        self.which.addItems(list(VIEWS))
        self.which.currentTextChanged.connect(self._on_filter)
        self.filter.setPlaceholderText("filter: words, or score < 5")
        self.filter.setToolTip(
            "Words that name or reasons hold, or an expression of the exported columns, such as "
            "score < 5 and snr > 2"
        )
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
        self.below.setStyleSheet(TIGHT)
        self.below.setToolTip("Reject all files that score less, or that have no score")
        self.below.clicked.connect(self.reject_below)
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(self.below)
        row.addWidget(self.limit)
        row.addStretch(1)
        return row

    # --- content -------------------------------------------------------------------------

    def add(self, row: FileScore, picture: NDArray[np.uint8] | None = None) -> None:
        """Take a file that was scored; it is shown a moment later, with those beside it."""
        self.files.add(row, picture)
        self.came()

    def clear(self) -> None:
        """Forget all files."""
        self._late.stop()
        self.files.clear()
        self.model.clear()
        self.transfer = None
        self.show_state()

    def show_rows(self) -> None:
        """Show the files that the view and the filter let through."""
        self.model.refresh()

    def show_state(self) -> None:
        """Say how many files there are, and offer what can be done with them."""
        files = self.files
        kept, rejected = len(files.marked(KEEP)), len(files.marked(REJECT))
        failed = sum(row.score is None for row in files.rows)
        counts = {"kept": kept, "rejected": rejected, "not readable": failed}
        self.show_counts(counts, "No file is scored yet.")
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

    def reject_below(self) -> None:
        """Reject what scores less than the limit."""
        count = self.files.mark_below(self.limit.value())
        self.refresh()
        self.panel.say(f"{count} more rejected below {self.limit.value():.1f}.")

    def exported(self, files: list[Path]) -> Any:
        """Return the table of some files with all measures."""
        return self._table(files, self.files.measures())

    def copied(self, files: list[Path]) -> Any:
        """Return the table of some files as it is seen."""
        return self._table(files, ())

    def _table(self, files: list[Path], measures: tuple[str, ...]) -> Any:
        """Return the rows of some files, as they are shown."""
        wanted = set(files)
        rows = [row for row in self.model.rows() if row.file in wanted]
        return scores_table(rows, marks=self.files.marks, measures=measures)

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


def agrees(parent: QWidget, text: str) -> bool:
    """Ask whether files may be copied or moved."""
    answer = QMessageBox.question(parent, "Focus", text)
    return bool(answer == QMessageBox.StandardButton.Yes)


def asked_folder(parent: QWidget, title: str, start: Path) -> Path | None:
    """Ask for a folder, None when the user thought better of it."""
    name = QFileDialog.getExistingDirectory(parent, title, str(start))
    return Path(name) if name else None
