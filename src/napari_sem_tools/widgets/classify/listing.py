"""Classified files with what can be done with them: filter, rank, correct, export."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel

from napari_sem_tools.widgets.classify.state import ALL, VIEWS, NamedFiles
from napari_sem_tools.widgets.classify.text import (
    answer_text,
    chances_of,
    percent,
    short_answer,
)
from napari_sem_tools.widgets.gallery.files import FileList
from napari_sem_tools.widgets.gallery.model import Column, ImagesModel, Looks
from napari_sem_tools.widgets.gallery.parts import button_row, gallery_button, narrow_box, refill
from napari_sem_tools.widgets.gallery.pictures import Pixmaps
from napari_sem_tools.widgets.gallery.views import ImagesView

__all__ = ["FilesBox"]

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
_OF_THE_PAGE = ("teach", "again")
_KEYS: dict[Any, str] = {Qt.Key.Key_Delete: "remove", Qt.Key.Key_0: "0"} | {
    getattr(Qt.Key, f"Key_{digit}"): str(digit) for digit in range(1, _DIGITS + 1)
}


class FilesBox(FileList):
    """A list of classified files, and the buttons round it.

    Its signal ``asked`` names what the page has to do: ``"teach"`` or ``"again"``.

    Parameters
    ----------
    panel : Panel
        Opens files and shows words.
    """

    asked = Signal(str)
    export_title, export_name = "Export the categories", "categories.csv"

    def parts(self) -> tuple[NamedFiles, ImagesModel, ImagesView]:
        """Make the files, and a table and a gallery of them."""
        self._pixmaps = Pixmaps()
        model = ImagesModel(_COLUMNS, Looks(self._picture, self._caption, self._tip))
        return NamedFiles(), model, ImagesView(model, _KEYS)

    def build(self) -> None:
        """Put the rows round the list."""
        self.answers |= {
            "correct": lambda: self.correct(self.right.currentText().strip()),
            "remove": self._remove,
        }
        self.answers |= {what: functools.partial(self.asked.emit, what) for what in _OF_THE_PAGE}
        for number in range(_DIGITS + 1):
            self.answers[str(number)] = functools.partial(self._correct_to_number, number)
        self.column.addLayout(self._filter_row())
        self.column.addLayout(self._rank_row())
        self.column.addWidget(self.view, 1)
        self.column.addWidget(self.line)
        self.column.addLayout(self._correct_row())
        self.add_buttons(_BUTTONS)

    # --- rows ----------------------------------------------------------------------------

    def _filter_row(self) -> QHBoxLayout:
        """Make the views and the categories, and the search, which the page places."""
        self.which = narrow_box(*VIEWS, tip="Which files are shown")
        self.which.currentIndexChanged.connect(self.refresh)
        self.of = narrow_box(tip="Only files of this category: with Gallery, its gallery")
        self.of.addItem("any category", "")
        self.of.currentIndexChanged.connect(self.refresh)
        self.filter.setPlaceholderText("search")
        self.filter.setToolTip(
            "Words that name, folder, category or doubt hold, or an expression such as "
            "confidence < 0.8"
        )
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
        self.gallery = gallery_button(self.view.show_gallery)
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
        self.came()

    def offer(self, names: list[str]) -> None:
        """List the categories that files may be corrected to; keys 1 to 9 stand for them."""
        text = self.right.currentText()
        known = list(dict.fromkeys((*names, *self.files.categories())))
        if known != [self.right.itemText(n) for n in range(self.right.count())]:
            self.right.clear()
            self.right.addItems(known)
            self.right.setCurrentText(text)

    def show_rows(self) -> None:
        """Show the files that the views, the categories and the filter let through."""
        places = self.files.shown(
            self.which.currentText(), self.filter.text(), str(self.of.currentData() or "")
        )
        self.model.show_table(self.files.table, places)

    def show_state(self) -> None:
        """Say how many files there are, and offer what can be done with them."""
        files = self.files
        counts = {name: int(find(files.table).sum()) for name, find in VIEWS.items() if files.rows}
        counts.pop(ALL, None)
        self.show_counts(counts, "Drop images or a folder here.")
        for button in (*self.buttons.values(), self.corrections["correct"], self.corrections["0"]):
            button.setEnabled(bool(files.rows))
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

    def correct(self, category: str) -> None:
        """Say what the chosen files are, and go on to the next one."""
        if self.view.chosen() and not category:
            self.panel.say("Choose or type what they are.")
            return
        self.change_chosen(self.files.correct, category)

    def _correct_to_number(self, number: int) -> None:
        """Correct to the category of a digit; 0 takes the correction away."""
        if self.view.chosen() and number <= self.right.count():
            name = self.right.itemText(number - 1) if number else ""
            self.change_chosen(self.files.correct, name)

    def _remove(self) -> None:
        """Take the chosen files off the list."""
        self.files.remove(self.view.chosen())
        self.refresh()

    def exported(self, files: list[Path]) -> Any:
        """Return the table of some files with all probabilities."""
        place = {file: number for number, file in enumerate(self.files.rows)}
        return self.files.export(np.asarray([place[file] for file in files], np.intp))
