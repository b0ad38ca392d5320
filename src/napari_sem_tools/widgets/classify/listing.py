"""Classified files with what can be done with them: filter, rank, correct, export."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.errors import SemError
from napari_sem_tools.files import write_text
from napari_sem_tools.widgets.classify.state import VIEWS, NamedFiles
from napari_sem_tools.widgets.classify.text import (
    answer_text,
    chances_of,
    percent,
    short_answer,
)
from napari_sem_tools.widgets.gallery.model import Column, ImagesModel, Looks
from napari_sem_tools.widgets.gallery.parts import (
    asked_csv,
    button_row,
    late,
    narrow_box,
    refill,
)
from napari_sem_tools.widgets.gallery.pictures import Pixmaps
from napari_sem_tools.widgets.gallery.views import ImagesView
from napari_sem_tools.widgets.panel import wrapped_label

__all__ = ["FilesBox"]

_LATE_MS, _TYPING_MS = 120, 250
_REST = 10  # times what showing the list takes, between two of them while files come in
_MOST_OPENED = 12
_DIGITS = 9
_COLUMNS = (
    Column("file", "File", "Double-click or Enter opens it in the viewer", 74, stretch=True),
    Column("said", "Category", "Yours where you corrected it; below it why it needs a look: "
           "unsure, mixed, none of these, no micrograph", 96, bold=True),
    Column("corrected", "✎", "What you said it is", 20, text=lambda value: "✎" if value else ""),
    Column("sure", "Sure", "Calibrated probability", 46, text=percent, number=True),
    Column("nearest", "Like", "The example that is most alike", 90,
           text=lambda value: Path(value).name if isinstance(value, str) else ""),
)  # fmt: skip
_BUTTONS = {
    "open": ("Open", "Open the chosen files in the viewer (Enter, double-click)"),
    "teach": ("As examples", "Teach with the chosen files, as what they are called here"),
    "again": ("Again", "Classify all files of the list again, with what judges now"),
    "remove": ("Remove", "Take the chosen files off the list (Delete); nothing is deleted"),
    "export": ("CSV ...", "Write the table as it is shown, with all probabilities"),
}
_KEYS: dict[Any, str] = {Qt.Key.Key_Delete: "remove", Qt.Key.Key_0: "0"} | {
    getattr(Qt.Key, f"Key_{digit}"): str(digit) for digit in range(1, _DIGITS + 1)
}


class FilesBox(QWidget):
    """A list of classified files, and the buttons round it.

    Its signal ``asked`` names what the page has to do: ``"teach"`` or ``"again"``; ``changed``
    says that files or corrections are others.

    Parameters
    ----------
    panel : Panel
        Opens files and shows words.
    """

    changed = Signal()
    asked = Signal(str)

    def __init__(self, panel: Any) -> None:
        super().__init__()
        self.panel = panel
        self.files = NamedFiles()
        self._pixmaps = Pixmaps()
        self.model = ImagesModel(_COLUMNS, Looks(self._picture, self._caption, self._tip))
        self.view = ImagesView(self.model, _KEYS)
        self.view.asked.connect(self.do)
        self.view.opened.connect(self.panel.open_file)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._filter_row())
        column.addLayout(self._rank_row())
        column.addWidget(self.view, 1)
        self.line = wrapped_label()
        column.addWidget(self.line)
        column.addLayout(self._correct_row())
        row, self.buttons = button_row(_BUTTONS, self.do)
        column.addLayout(row)
        self._late = late(self, _LATE_MS, self.refresh)
        self._typing = late(self, _TYPING_MS, self.refresh)
        self.show_state()

    # --- parts ---------------------------------------------------------------------------

    def _filter_row(self) -> QHBoxLayout:
        """Make the views and the categories, and the search, which the page places."""
        self.which = narrow_box(*VIEWS, tip="Which files are shown")
        self.which.currentIndexChanged.connect(self.refresh)
        self.of = narrow_box(tip="Only files of this category: with Gallery, its gallery")
        self.of.addItem("any category", "")
        self.of.currentIndexChanged.connect(self.refresh)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("search")
        self.filter.setToolTip(
            "Words that name, folder, category or doubt hold, or an expression such as "
            "confidence < 0.8"
        )
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(lambda _: self._typing.start())
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.which)
        row.addWidget(self.of, 1)
        return row

    def _rank_row(self) -> QHBoxLayout:
        """Make the ranking and the change between table and gallery."""
        self.rank = narrow_box(tip="The files most likely of this category come first")
        self.rank.addItem("in the order of the table", "")
        self.rank.currentIndexChanged.connect(self._on_rank)
        self.gallery = QPushButton("Gallery")
        self.gallery.setCheckable(True)
        self.gallery.setToolTip("Show large pictures instead of the table")
        self.gallery.toggled.connect(self.view.show_gallery)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(QLabel("Rank by"))
        row.addWidget(self.rank, 1)
        row.addWidget(self.gallery)
        return row

    def _correct_row(self) -> QHBoxLayout:
        """Make the correction with its undo."""
        self.right = narrow_box(tip="What the chosen files are; a new name can be typed")
        self.right.setEditable(True)
        self.right.setInsertPolicy(self.right.InsertPolicy.NoInsert)
        self.right.lineEdit().setPlaceholderText("category")
        self.right.lineEdit().returnPressed.connect(lambda: self.do("correct"))
        row, self.corrections = button_row(
            {
                "correct": ("Correct", "The chosen files are of this category (keys 1 to 9)"),
                "0": ("As found", "Take the correction of the chosen files away (key 0)"),
                "undo": ("↶", "Undo the last correction (Ctrl+Z)"),
                "redo": ("↷", "Redo (Ctrl+Shift+Z)"),
            },
            self.do,
        )
        row.insertWidget(0, self.right, 1)
        return row

    # --- content -------------------------------------------------------------------------

    def add(self, file: Path, row: dict[str, Any], picture: NDArray[np.uint8] | None) -> None:
        """Take a file that was classified; it is shown a moment later, with those beside it."""
        self.files.add(file, row, picture)
        if not self._late.isActive():
            self._late.start()

    def offer(self, names: list[str]) -> None:
        """List the categories that files may be corrected to; keys 1 to 9 stand for them."""
        text = self.right.currentText()
        known = list(dict.fromkeys((*names, *self.files.categories())))
        if known != [self.right.itemText(n) for n in range(self.right.count())]:
            self.right.clear()
            self.right.addItems(known)
            self.right.setCurrentText(text)

    def refresh(self, *_: Any) -> None:
        """Show what came, was corrected or was filtered."""
        self._late.stop()
        started, files = time.perf_counter(), self.files
        try:
            places = files.shown(
                self.which.currentText(), self.filter.text(), str(self.of.currentData() or "")
            )
        except SemError as error:
            self.panel.fail(error)
            return
        self.model.show_table(files.table, places)
        self.show_state()
        self.changed.emit()
        spent = 1e3 * (time.perf_counter() - started)
        self._late.setInterval(max(_LATE_MS, round(_REST * spent)))  # long lists: less often

    def show_state(self) -> None:
        """Say how many files there are, and offer what can be done with them."""
        files = self.files
        counts = {name: int(find(files.table).sum()) for name, find in VIEWS.items() if files.rows}
        number = len(files.rows)
        parts = [f"{number} file{'s' if number != 1 else ''}"]
        parts += [f"{counts[name]} {name}" for name in list(VIEWS)[1:] if counts.get(name)]
        shown = self.model.rowCount()
        parts += [f"{shown} shown"] if shown != number else []
        self.line.setText(", ".join(parts) if number else "Drop images or a folder here.")
        for button in (*self.buttons.values(), self.corrections["correct"], self.corrections["0"]):
            button.setEnabled(number > 0)
        self.corrections["undo"].setEnabled(files.can_undo)
        self.corrections["redo"].setEnabled(files.can_redo)
        self._list_categories()

    def _list_categories(self) -> None:
        """List the categories there are, with how many files each has."""
        table, names = self.files.table, self.files.categories()
        held = table["category"].value_counts()
        rows = {name: f"{name} ({held.get(name, 0)})" for name in names}
        refill(self.of, {"": "any category", **rows})
        ranks = [name for name in names if f"p {name}" in table]
        refill(self.rank, {"": "the order of the table", **{name: name for name in ranks}})

    def _on_rank(self, *_: Any) -> None:
        """Put the likeliest files of a category first."""
        name = str(self.rank.currentData() or "")
        self.model.sort_by(f"p {name}" if name else "", falling=True)

    # --- what the list asks --------------------------------------------------------------

    def _picture(self, file: Path) -> QPixmap | None:
        """Return the picture of a file."""
        return self._pixmaps.of(file, self.files.pictures.get(file))

    def _caption(self, file: Path) -> str:
        """Return the words below a picture."""
        row, wanted = self.files.rows[file], str(self.rank.currentData() or "")
        if row.get("error"):
            return f"{file.name}\nnot readable"
        sure = dict(chances_of(row)).get(wanted) if wanted else row.get("confidence")
        name = wanted or self.files.category(file) or short_answer(row.get("answer"))
        doubt = "" if row.get("answer") == "category" else " ?"
        return f"{file.name}\n{name} {percent(sure)}{doubt}" if name else file.name

    def _tip(self, file: Path) -> str:
        """Return all that is known about a file."""
        row = self.files.rows[file]
        given = self.files.corrected.get(file, "")
        chances = ", ".join(f"{name} {percent(value)}" for name, value in chances_of(row)[:5])
        parts = [str(file), answer_text(row), chances, given and f"You said: {given}"]
        return "\n".join(part for part in parts if part)

    # --- what can be done ----------------------------------------------------------------

    def do(self, what: str) -> None:
        """Do what a key or a button asks for, to the chosen files."""
        if what.isdigit():
            self._correct_to_number(int(what))
            return
        actions = {
            "correct": lambda: self.correct(self.right.currentText().strip()),
            "undo": self._undo,
            "redo": self._redo,
            "open": self._open,
            "copy": self._copy_rows,
            "export": self._export,
            "remove": self._remove,
        }
        try:
            actions.get(what, lambda: self.asked.emit(what))()
        except SemError as error:
            self.panel.fail(error)

    def correct(self, category: str) -> None:
        """Say what the chosen files are, and go on to the next one."""
        chosen = self.view.chosen()
        if not chosen:
            self.panel.say("Choose files in the list first.")
            return
        if not category:
            self.panel.say("Choose or type what they are.")
            return
        self._correct(chosen, category)

    def _correct_to_number(self, number: int) -> None:
        """Correct to the category of a digit; 0 takes the correction away."""
        chosen = self.view.chosen()
        if chosen and number <= self.right.count():
            self._correct(chosen, self.right.itemText(number - 1) if number else "")

    def _correct(self, chosen: list[Path], category: str) -> None:
        """Note a correction; a single file gives way to the next one."""
        last = self.model.row_of(chosen[-1])
        before = self.model.rowCount()
        self.files.correct(chosen, category)
        self.refresh()
        if len(chosen) == 1:
            stayed = self.model.rowCount() == before
            self.view.choose_row(min(last + stayed, self.model.rowCount() - 1))

    def _undo(self) -> None:
        """Take the last correction back."""
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

    def _remove(self) -> None:
        """Take the chosen files off the list."""
        self.files.remove(self.view.chosen())
        self.refresh()

    def _table_of_chosen(self) -> Any:
        """Return the chosen rows as they are exported; all that are shown without a choice."""
        chosen = self.view.chosen() or self.model.listed()
        place = {file: number for number, file in enumerate(self.files.rows)}
        return self.files.export(np.asarray([place[file] for file in chosen], np.intp))

    def _copy_rows(self) -> None:
        """Copy rows for a spreadsheet."""
        table = self._table_of_chosen()
        QApplication.clipboard().setText(table.to_csv(index=False, sep="\t", lineterminator="\n"))
        self.panel.say(f"{len(table)} rows copied.")

    def _export(self) -> None:
        """Write what is shown as CSV."""
        from napari_sem_tools.reporting import csv_text

        path = asked_csv(self, "Export the categories", "categories.csv")
        if path is None:
            return
        place = {file: number for number, file in enumerate(self.files.rows)}
        shown = np.asarray([place[file] for file in self.model.listed()], np.intp)
        write_text(path, csv_text(self.files.export(shown)))
        self.panel.say(f"{len(shown)} rows written to {path.name}.")

    def release(self) -> None:
        """Stop redrawing."""
        self._late.stop()
        self._typing.stop()
